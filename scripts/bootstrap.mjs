// Runs a task on a machine that has only Node and npm: finds the pinned pnpm (from PATH when it is exactly that
// version, else through npm's own cache, which puts it on PATH for what the task starts), installs from the lockfile,
// then runs the task. Plain Node, because nothing is installed yet. Tasks are the scripts named "task:<name>" in
// package.json; arguments after the task are handed to its last command.
import {spawn, spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const pin = manifest.packageManager;
const env = {...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', npm_config_update_notifier: 'false'};
const inherit = {cwd: root, env, stdio: 'inherit'};

const [task, ...args] = process.argv.slice(2);
if (!task || !manifest.scripts[`task:${task}`]) {
  const tasks = Object.keys(manifest.scripts).filter(name => name.startsWith('task:'));
  console.error(`usage: node scripts/bootstrap.mjs TASK [ARGS]; tasks: ${tasks.map(name => name.slice(5)).join(', ')}`);
  process.exit(64);
}

const found = spawnSync('pnpm', ['--version'], {cwd: root, env, encoding: 'utf8'});
const onPath = found.status === 0 && `pnpm@${found.stdout.trim()}` === pin;
const [command, ...prefix] = onPath ? ['pnpm'] : ['npm', 'exec', '--yes', `--package=${pin}`, '--', 'pnpm'];

const install = ['install', '--frozen-lockfile', '--prefer-offline', '--loglevel=warn'];
const installed = spawnSync(command, [...prefix, ...install], inherit);
if (installed.error) throw installed.error;
if (installed.status !== 0) process.exit(installed.status ?? 1);

// The server gets a process group of its own, so that a signal to this process, from a terminal or a supervisor, reaches
// it through whatever stands between. Everything else stays with the terminal, which interrupts the whole group itself.
const detached = task === 'start';
const running = spawn(command, [...prefix, '--silent', 'run', `task:${task}`, ...args], {...inherit, detached});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (detached) process.kill(-running.pid, signal);
    else if (signal === 'SIGTERM') running.kill(signal);
  });
}
running.on('error', error => {
  throw error;
});
running.on('exit', (status, signal) => {
  process.exitCode = signal === null ? (status ?? 1) : 1;
});
