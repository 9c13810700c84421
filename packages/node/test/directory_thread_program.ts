/**
 * The process of the tests of verification on a thread: the built package, since only there the thread's program lies
 * beside it. Makes two backups, one of which is given up while the thread is at work, and writes what came of them as JSON.
 */
import {readdirSync} from 'node:fs';
import {type DirectoryProgress, SingleNodeEngine, verifyDirectory} from '@allocdb/node';
import {fill} from './directory_support.ts';
import {CONFIG} from './support.ts';

const [dir = '', first = '', second = '', rotten = ''] = process.argv.slice(2);

let threads = 0;
process.on('worker', () => {
  threads++;
});

const engine = SingleNodeEngine.open({dir, config: CONFIG, segmentBytes: 64 * 1024});
for (let i = 0; i < 40; i++) fill(engine);
await engine.checkpoint();
fill(engine);

const told: DirectoryProgress[] = [];
const info = await engine.backup(first, {onProgress: progress => told.push(progress)});
const report = verifyDirectory(first);

const controller = new AbortController();
const onProgress = ({phase}: DirectoryProgress): void => {
  if (phase === 'verify') controller.abort(new Error('enough'));
};
const givenUp = await engine
  .backup(second, {signal: controller.signal, onProgress})
  .catch((error: Error) => error.message);
const failed = await engine
  .backup(rotten, {
    onProgress: ({phase}) => {
      if (phase === 'verify') throw new Error('not listening');
    },
  })
  .catch((error: Error) => error.message);
await engine.close();

const {lsn, snapshotLsn} = info;
process.stdout.write(
  JSON.stringify({
    threads,
    lsn: String(lsn),
    snapshotLsn: String(snapshotLsn),
    problems: report.problems,
    reported: String(report.lsn),
    verified: told.filter(({phase}) => phase === 'verify').at(-1),
    givenUp,
    failed,
    left: readdirSync(new URL(`file://${first}/..`)).sort(),
  }),
);
