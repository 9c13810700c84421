// Runs a task on a machine that has only Node and npm: finds the pinned pnpm (from PATH when it is exactly that
// version, else through npm's own cache), installs from the lockfile, then runs the task. Plain Node, because nothing
// is installed yet. Tasks are the scripts named "task:<name>" in package.json.
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const pin = manifest.packageManager;
const env = {...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1'};

function run(command, args, options = {}) {
  return spawnSync(command, args, {cwd: root, env, stdio: 'inherit', ...options});
}

const found = run('pnpm', ['--version'], {stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8'});
const onPath = found.status === 0 && `pnpm@${found.stdout.trim()}` === pin;

function pnpm(...args) {
  const result = onPath ? run('pnpm', args) : run('npm', ['exec', '--yes', `--package=${pin}`, '--', 'pnpm', ...args]);
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const [task, ...args] = process.argv.slice(2);
if (!task || !manifest.scripts[`task:${task}`]) {
  const tasks = Object.keys(manifest.scripts).filter(name => name.startsWith('task:'));
  console.error(`usage: node scripts/bootstrap.mjs TASK [ARGS]; tasks: ${tasks.map(name => name.slice(5)).join(', ')}`);
  process.exit(64);
}
pnpm('install', '--frozen-lockfile', '--prefer-offline', '--loglevel=warn');
pnpm('run', `task:${task}`, ...args);
