/**
 * `allocdb serve DIR`: runs the server until SIGTERM or SIGINT, then stops gracefully and exits 0. Everything that can be
 * wrong with settings, capacities, directory or port is said in one message, with every offending one named.
 *
 * What can be set is in settings.ts, where it comes from in settings_sources.ts. Not here: what signals do
 * (server_process.ts).
 */
import {AllocDbServer, createLog, explainConfig, isSettingError, type ServerOptions} from '@allocdb/server';
import {type Command, Option} from 'commander';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import {ServerProcess} from '../server_process.ts';
import type {Session} from '../session.ts';
import {flagOf, SETTING_GROUPS, SETTING_NAMES, SETTINGS, type SettingName, variableOf} from '../settings.ts';
import {addressText, checkTogether, reachableAddresses} from '../settings_checks.ts';
import {serverOptionsOf} from '../settings_options.ts';
import {defaultText, settingsJson, settingsText} from '../settings_print.ts';
import {collectSettings, type EffectiveSettings, SETTINGS_VARIABLE, type SettingTexts} from '../settings_sources.ts';

/** What the command line says: the texts of settings, true or false for switches. */
type ServeFlags = Partial<Record<SettingName, string | boolean>> & {
  readonly settings?: string;
  readonly printConfig?: boolean;
};

const NAMES_HELP = `
Every setting can also be given in the environment (${flagOf('maxConnections')} as ${variableOf('maxConnections')}) or in the
settings file ({"max_connections": 500}); flags go before the environment, the environment before the file.`;

const SETTINGS_GROUP = 'Settings:';

export function register(program: Command, session: Session): void {
  const command = program
    .command('serve')
    .argument('[dir]', 'data directory; created when it is not there')
    .description('run the server until SIGTERM');
  for (const group of SETTING_GROUPS) {
    for (const name of SETTING_NAMES.filter(each => SETTINGS[each].group === group)) addSetting(command, name);
  }
  const print = 'print every setting with its value and where that comes from, and start nothing';
  command
    .addOption(
      new Option('--settings <file>', `settings (JSON), a key each (else ${SETTINGS_VARIABLE})`).helpGroup(
        SETTINGS_GROUP,
      ),
    )
    .addOption(new Option('--print-config', print).helpGroup(SETTINGS_GROUP))
    .addHelpText('after', NAMES_HELP)
    .action((dir: string | undefined, flags: ServeFlags) => serve(dir, flags, session));
  addExamples(command, session, [
    'serve ./data',
    'serve ./data --listen 0.0.0.0:7433 --token-file ./tokens --tls-cert ./cert.pem --tls-key ./key.pem',
    'serve ./data --settings ./allocdb.json --print-config',
  ]);
}

function addSetting(command: Command, name: SettingName): void {
  const setting = SETTINGS[name];
  const flag = flagOf(name);
  const text = `${setting.help} (default: ${defaultText(setting)})`;
  if (setting.placeholder === null) {
    command.addOption(new Option(flag, text).helpGroup(`${setting.group}:`));
    command.addOption(new Option(`--no-${flag.slice(2)}`).helpGroup(`${setting.group}:`).hideHelp());
    return;
  }
  const option = new Option(`${flag} ${setting.placeholder}`, text).helpGroup(`${setting.group}:`);
  option.argParser((value: string) => {
    setting.parse(value);
    return value;
  });
  command.addOption(option);
}

async function serve(dir: string | undefined, flags: ServeFlags, session: Session): Promise<void> {
  const {settings: file, printConfig = false, ...given} = flags;
  const texts = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  const settings = collectSettings(texts as SettingTexts, file, process.env);
  checkTogether(settings.values);
  if (printConfig) await session.output.line(settingsJson(settings), settingsText(settings));
  else if (dir === undefined) fail(EXIT.USAGE, "missing required argument 'dir'");
  else await run(dir, settings);
}

async function run(dir: string, {values, ignored}: EffectiveSettings): Promise<void> {
  const log = createLog({level: values.logLevel, format: values.logFormat});
  const options = serverOptionsOf(dir, values, log);
  const life = new ServerProcess(log);
  for (const {variable, nearest} of ignored) log.warn({event: 'environment_ignored', variable, nearest});
  if (values.tlsCert === null) {
    for (const address of reachableAddresses(values)) log.warn({event: 'not_encrypted', address: addressText(address)});
  }
  log.info({event: 'opening', dir});
  try {
    const server = await start(options);
    life.reloadBy(() => server.reload());
    for (const line of explainConfig(server.engine.config, options.slotDurationMs)) log.info({event: 'config'}, line);
    await life.stopAsked;
    await server.stop();
  } finally {
    life.dispose();
  }
}

async function start(options: ServerOptions): Promise<AllocDbServer> {
  try {
    return await AllocDbServer.start(options);
  } catch (error) {
    if (isSettingError(error)) return fail(EXIT.FAILURE, error.message);
    if (!isSystemError(error)) throw error;
    const {code, address, port} = error;
    const where = address === undefined ? '' : port === undefined ? address : addressText({host: address, port});
    if (code === 'EADDRINUSE') return fail(EXIT.FAILURE, `${where} is in use by another program`);
    if (code === 'EACCES' && where !== '') {
      return fail(EXIT.FAILURE, `${where} may not be listened on by this user`);
    }
    if (code === 'EADDRNOTAVAIL') return fail(EXIT.FAILURE, `${where} is not an address of this machine`);
    if (code === 'ENOTFOUND') return fail(EXIT.FAILURE, `${error.hostname ?? where} is not an address of this machine`);
    throw error;
  }
}

interface SystemError extends Error {
  readonly code: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
