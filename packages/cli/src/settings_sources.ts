/**
 * Where the values of settings come from: flags before the environment, the environment before the settings file, the file
 * before what holds when nobody says anything. Each value keeps its text and its source, so that both can be shown.
 *
 * Everything that is wrong in one place is said at once, with the name that it has there. An empty variable counts as not
 * set, as `docker compose` and unit files leave them; a null in the file does too.
 */
import {InvalidArgumentError} from 'commander';
import {EXIT, fail} from './exit.ts';
import {readText} from './file_input.ts';
import {keyOf, SETTING_NAMES, SETTINGS, type ServeSettings, type SettingName, variableOf} from './settings.ts';
import {nearestTo} from './settings_nearest.ts';

/** Least first. */
export const SETTING_SOURCES = ['default', 'file', 'env', 'flag'] as const;
/** One of {@link SETTING_SOURCES}. */
export type SettingSource = (typeof SETTING_SOURCES)[number];

/** A value with where it comes from. */
export interface EffectiveSetting {
  /** Null where it is not set. */
  readonly text: string | null;
  readonly source: SettingSource;
}

/** What holds, and why. */
export interface EffectiveSettings {
  readonly values: ServeSettings;
  readonly origins: Readonly<Record<SettingName, EffectiveSetting>>;
  /** The settings file; null without one. */
  readonly file: string | null;
  /** Variables that look like settings and are none, each with the one that may have been meant. */
  readonly ignored: readonly {readonly variable: string; readonly nearest: string | null}[];
}

/** Texts of settings that can be read, unless something else is said; what is not set is left out. */
export type SettingTexts = Partial<Record<SettingName, string>>;

/** The variable that names the settings file, as `--settings` does. */
export const SETTINGS_VARIABLE = 'ALLOCDB_SETTINGS';

/** Variables of other commands, and those that a cluster sets for every service of a name. */
const NOT_OURS = /^ALLOCDB_(?:URL|TOKEN|PORT|SERVICE)(?:_|$)/;

/** Collects the settings of one start; the parser of the command line has read the flags already. Ends the command with what is wrong with any of them. */
export function collectSettings(
  flags: SettingTexts,
  settingsFile: string | undefined,
  environment: NodeJS.ProcessEnv,
): EffectiveSettings {
  const file = settingsFile ?? (environment[SETTINGS_VARIABLE] || null);
  const texts: Readonly<Record<Exclude<SettingSource, 'default'>, SettingTexts>> = {
    file: file === null ? {} : fileTexts(file),
    env: environmentTexts(environment),
    flag: flags,
  };
  check(texts.env, variableOf, EXIT.USAGE, '');
  if (file !== null) check(texts.file, keyOf, EXIT.FAILURE, `the settings file ${file} cannot be used:\n  `);
  const origins = Object.fromEntries(
    SETTING_NAMES.map(name => {
      for (const source of ['flag', 'env', 'file'] as const) {
        const text = texts[source][name];
        if (text !== undefined) return [name, {text, source}];
      }
      return [name, {text: SETTINGS[name].default, source: 'default'}];
    }),
  ) as Record<SettingName, EffectiveSetting>;
  const values = Object.fromEntries(
    SETTING_NAMES.map(name => {
      const {text} = origins[name];
      return [name, text === null ? null : SETTINGS[name].parse(text)];
    }),
  ) as unknown as ServeSettings;
  return {values, origins, file, ignored: ignoredVariables(environment)};
}

function environmentTexts(environment: NodeJS.ProcessEnv): SettingTexts {
  const entries = SETTING_NAMES.map(name => [name, environment[variableOf(name)]] as const);
  return Object.fromEntries(entries.filter(([, text]) => text !== undefined && text !== ''));
}

function ignoredVariables(environment: NodeJS.ProcessEnv): EffectiveSettings['ignored'] {
  const known = [...SETTING_NAMES.map(variableOf), SETTINGS_VARIABLE];
  return Object.keys(environment)
    .filter(name => name.startsWith('ALLOCDB_') && !known.includes(name) && !NOT_OURS.test(name))
    .map(variable => ({variable, nearest: nearestTo(variable, known)}));
}

function fileTexts(file: string): SettingTexts {
  const problem = (what: string): never => fail(EXIT.FAILURE, `the settings file ${file} cannot be used: ${what}`);
  let json: unknown;
  try {
    json = JSON.parse(readText(file, '--settings'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return problem(`it is not JSON: ${error.message}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return problem('it must be one object');
  const names = new Map(SETTING_NAMES.map(name => [keyOf(name), name]));
  const texts: SettingTexts = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(json)) {
    const name = names.get(key);
    if (name === undefined) {
      const nearest = nearestTo(key, [...names.keys()]);
      problems.push(`${key}: there is no such setting${nearest === null ? '' : `; the nearest is ${nearest}`}`);
    } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      texts[name] = textOf(name, value);
    } else if (value !== null) problems.push(`${key}: must be a string, a number, true or false`);
  }
  if (problems.length > 0) problem(`\n  ${problems.join('\n  ')}`);
  return texts;
}

/** A switch of two words takes true and false as well. */
function textOf(name: SettingName, value: string | number | boolean): string {
  if (name === 'httpTls' && typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}

function check(texts: SettingTexts, titleOf: (name: SettingName) => string, exitCode: number, lead: string): void {
  const problems = Object.entries(texts).flatMap(([name, text]) => {
    const problem = problemWith(name as SettingName, text);
    return problem === null ? [] : [`${titleOf(name as SettingName)} ${problem}`];
  });
  if (problems.length > 0) fail(exitCode, lead + problems.join(lead === '' ? '\n' : '\n  '));
}

function problemWith(name: SettingName, text: string): string | null {
  try {
    SETTINGS[name].parse(text);
    return null;
  } catch (error) {
    if (error instanceof InvalidArgumentError) return error.message;
    throw error;
  }
}
