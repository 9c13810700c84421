/**
 * The process of the tests that kill one in the middle of an operation on a directory: told what to do by its arguments, it
 * writes a line for each thing that it is told of progress, `acknowledged <lsn>` for what its engine has answered, and
 * `done` at the end. At the line that its last argument says the beginning of it stops for good, to be killed there.
 */
import {writeSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import {type DirectoryProgress, reconfigureDirectory, restoreDirectory, SingleNodeEngine} from '../src/index.ts';
import {RandomRequests, SMALL} from './directory_support.ts';
import {configWith} from './support.ts';

/** Nobody who wanted to kill it is left by then. */
const GIVE_UP_MS = 300_000;

const [action = '', dir = '', to = '', stopAt = ''] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
  if (stopAt === '' || !line.startsWith(stopAt)) return;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, GIVE_UP_MS);
  process.exit(1);
}

function onProgress({phase, done, total}: DirectoryProgress): void {
  say(`${phase} ${done} ${total}`);
}

async function backup(): Promise<void> {
  const engine = SingleNodeEngine.open({...SMALL, dir, config: null});
  const requests = new RandomRequests(77);
  let isOver = false;
  const load = (async () => {
    while (!isOver) {
      const answers = await Promise.all(requests.take(20).map(request => engine.submit(request)));
      const committed = answers.filter(answer => answer.type === 'submit_committed' && !answer.fromRetryCache);
      for (const answer of committed.slice(-1)) if ('appliedLsn' in answer) say(`acknowledged ${answer.appliedLsn}`);
      await delay(1);
    }
  })();
  const {lsn} = await engine.backup(to, {onProgress});
  say(`done ${lsn}`);
  isOver = true;
  await load;
  await engine.close();
}

switch (action) {
  case 'backup':
    await backup();
    break;
  case 'restore':
    say(`done ${(await restoreDirectory(dir, to, {onProgress})).lsn}`);
    break;
  case 'reconfigure':
    say(`done ${(await reconfigureDirectory(dir, configWith({}, {maxResources: 1000}), {onProgress})).lsn}`);
    break;
  default:
    throw new Error(`there is no action ${action}`);
}
