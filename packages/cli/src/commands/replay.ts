/**
 * `allocdb replay DIR`: what the state of a stopped database was at an lsn, in numbers: position, digest and counts. It
 * replays what is kept and changes nothing. Two directories with the same digest at an lsn had the same state there.
 */
import {replayUntil} from '@allocdb/node';
import type {Command} from 'commander';
import {u64} from '../arguments.ts';
import {addExamples} from '../program.ts';
import {withPhases} from '../progress.ts';
import type {Session} from '../session.ts';
import {hex128} from '../shown.ts';

interface ReplayFlags {
  readonly until?: bigint;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('replay')
    .description('tell the digest and the counts of the state at an lsn; changes nothing')
    .argument('<dir>', 'data directory or backup; not one that a server is using')
    .option('--until <lsn>', 'replay to this lsn, instead of to the end of the log', u64)
    .action((dir: string, flags: ReplayFlags) => replay(session, dir, flags));
  addExamples(command, session, ['replay ./data', 'replay ./data --until 20001 --json']);
}

async function replay(session: Session, dir: string, {until}: ReplayFlags): Promise<void> {
  const {output, interrupt} = session;
  const info = await withPhases(output, onProgress =>
    replayUntil(dir, {onProgress, signal: interrupt.signal, ...(until === undefined ? {} : {until})}),
  );
  const {lsn, slot, digest, resources, reservations, operations, records, durationMs} = info;
  await output.record({
    result: 'replayed',
    lsn,
    slot,
    digest: hex128(digest),
    resources,
    reservations,
    operations,
    records,
    durationMs: Math.round(durationMs),
  });
}
