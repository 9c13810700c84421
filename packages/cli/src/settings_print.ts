/**
 * Settings as text: what holds and where it comes from, for `--print-config`, and what there is, for the documentation.
 * Nothing secret is among them: of tokens and keys a setting has the path.
 */
import {flagOf, keyOf, SETTING_GROUPS, SETTING_NAMES, SETTINGS, type Setting, type SettingName} from './settings.ts';
import type {EffectiveSettings} from './settings_sources.ts';

/** One line a setting, in the form of a settings file, and behind it where the value comes from. */
export function settingsText({origins, file}: EffectiveSettings): string {
  const lines = SETTING_NAMES.map(name => {
    const {text, source} = origins[name];
    return [`${keyOf(name)} = ${text === null ? `(${SETTINGS[name].unset ?? 'none'})` : text}`, source] as const;
  });
  const width = Math.max(...lines.map(([setting]) => setting.length));
  const shown = lines.map(([setting, source]) => `${setting.padEnd(width)}  # ${source}`);
  return [...(file === null ? [] : [`# settings file: ${file}`]), ...shown].join('\n');
}

/** The same as an object. The values of `settings` are what a settings file may have. */
export function settingsJson({origins, file}: EffectiveSettings): object {
  const settings = Object.fromEntries(
    SETTING_NAMES.map(name => [keyOf(name), {value: origins[name].text, source: origins[name].source}]),
  );
  return {settingsFile: file, settings};
}

/** What there is to set, as tables of Markdown, one for each group. */
export function settingsMarkdown(): string {
  return SETTING_GROUPS.map(group => {
    const names = SETTING_NAMES.filter(name => SETTINGS[name].group === group);
    const rows = names.map(name => rowOf(name, SETTINGS[name]));
    return [`**${group}**`, '', '| flag | default | what |', '|---|---|---|', ...rows].join('\n');
  }).join('\n\n');
}

function rowOf(name: SettingName, setting: Setting<unknown>): string {
  const flag = `${flagOf(name)}${setting.placeholder === null ? '' : ` ${setting.placeholder.toUpperCase()}`}`;
  const shown = flag.replace(/[<>]/g, '').replaceAll('|', ' or ');
  return `| \`${shown}\` | ${defaultText(setting)} | ${setting.help} |`;
}

/** What a setting is when nobody says anything. */
export function defaultText({default: text, unit, unset}: Setting<unknown>): string {
  if (text === null) return unset ?? 'none';
  return unit === undefined ? text : `${text} ${unit}`;
}
