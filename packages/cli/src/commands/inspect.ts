/**
 * `allocdb inspect wal DIR` and `allocdb inspect snapshot FILE`: what stands in a log or a snapshot, sound or damaged, piece
 * by piece. Nothing is changed and no lock is taken, so a copy of a running database will do.
 *
 * Exit 1 when something is damaged, also where the rest can be read. Whether all of it fits together is said by `verify`.
 */
import {dirname} from 'node:path';
import {
  type InspectedEntry,
  type InspectLogOptions,
  inspectLog,
  inspectSnapshot,
  readDirectoryConfig,
  SECTION_NAMES,
  type SectionName,
  type SnapshotInspection,
  type SnapshotRecord,
} from '@allocdb/node';
import {Argument, type Command, Option} from 'commander';
import {u64, whole} from '../arguments.ts';
import {EXIT, fail} from '../exit.ts';
import type {Fields, Output} from '../output.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';
import {fieldsOf} from './watch.ts';

interface InspectFlags {
  readonly from?: bigint;
  readonly to?: bigint;
  readonly records?: boolean;
  readonly section?: SectionName;
  readonly limit?: number;
}

type What = 'wal' | 'snapshot';

/** Which flags say something of which of the two. */
const FLAGS: Readonly<Record<What, readonly (keyof InspectFlags)[]>> = {
  wal: ['from', 'to', 'records', 'limit'],
  snapshot: ['section', 'limit'],
};

export function register(program: Command, session: Session): void {
  const command = program
    .command('inspect')
    .description('show what stands in a log or a snapshot, sound or damaged; changes nothing')
    .addArgument(new Argument('<what>', 'what to look into').choices(['wal', 'snapshot']))
    .argument('<file>', 'wal: a data directory, or one of segments; snapshot: the file')
    .option('--from <lsn>', 'wal: begin with the frame that holds this lsn', u64)
    .option('--to <lsn>', 'wal: end with this lsn', u64)
    .option('--records', 'wal: show the records of each frame')
    .addOption(new Option('--section <name>', 'snapshot: show the records of this section').choices(SECTION_NAMES))
    .option('--limit <n>', 'most frames or records', whole(1, Number.MAX_SAFE_INTEGER))
    .action(async (what: What, path: string, flags: InspectFlags) => {
      const wrong = (Object.keys(flags) as (keyof InspectFlags)[]).find(flag => !FLAGS[what].includes(flag));
      if (wrong !== undefined) fail(EXIT.USAGE, `--${wrong} says nothing of a ${what === 'wal' ? 'log' : what}`);
      const isSound = await (what === 'wal' ? inspectWal : inspectSnapshotFile)(session.output, path, flags);
      session.exitCode = isSound ? EXIT.OK : EXIT.FAILURE;
    });
  addExamples(command, session, [
    'inspect wal ./data',
    'inspect wal ./data --from 950 --to 980 --records --json',
    'inspect snapshot ./data/snapshots/snapshot-00000000000000012345.snap --section resources --limit 20',
  ]);
}

async function inspectWal(output: Output, dir: string, flags: InspectFlags): Promise<boolean> {
  const options: InspectLogOptions = {
    records: flags.records ?? false,
    ...(flags.from === undefined ? {} : {from: flags.from}),
    ...(flags.to === undefined ? {} : {to: flags.to}),
    ...(flags.limit === undefined ? {} : {limit: flags.limit}),
  };
  const judge = new DamageJudge();
  for (const entry of inspectLog(dir, options)) {
    judge.see(entry);
    if (entry.kind === 'limit')
      await output.line({kind: 'limit'}, 'limit  what comes behind is not shown: raise --limit');
    else await output.record(logFields(entry));
  }
  return judge.isSound;
}

/**
 * Whether what is shown is damage: a write that was not finished looks like it, and is none where opening would cut it
 * off; what stands before intact frames is no such write.
 */
class DamageJudge {
  isSound: boolean = true;
  private isPending: boolean = false;

  see(entry: InspectedEntry): void {
    if (entry.kind === 'end') {
      if (entry.error !== null) this.isSound = false;
    } else if (entry.kind === 'missing') this.isSound = false;
    else if (entry.kind === 'record') this.isSound &&= entry.problem === null;
    else if (entry.kind === 'frame' || entry.kind === 'segment') {
      if (this.isPending) this.isSound = false;
      this.isPending = entry.problem !== null;
    }
  }
}

function logFields(entry: Exclude<InspectedEntry, {kind: 'limit'}>): Fields {
  switch (entry.kind) {
    case 'config':
      return {kind: 'config', shard: entry.shardId, slotMs: entry.slotMs, problem: entry.problem};
    case 'segment': {
      const {kind, name, firstLsn, ordinal, bytes, isRecycled, problem} = entry;
      return {kind, name, firstLsn, ordinal, bytes, recycled: isRecycled, ...markerOf(entry.marker), problem};
    }
    case 'missing':
      return {...entry};
    case 'frame': {
      const {kind, offset, bytes, frame, lsn, records, syncedLsn, problem, segment} = entry;
      return {kind, offset, bytes, frame, lsn, records, syncedLsn, ...markerOf(entry.marker), problem, segment};
    }
    case 'record': {
      const {change, lsn, problem, segment} = entry;
      return change === null ? {kind: 'unreadable_record', lsn, problem, segment} : fieldsOf(change);
    }
    case 'unreadable':
      return {kind: entry.kind, offset: entry.offset, bytes: entry.bytes, why: entry.why, segment: entry.segment};
    case 'end': {
      const {recovery, error} = entry;
      const {ending = null, firstLsn = null, lastLsn = null, cutBytes = null} = recovery ?? {};
      return {
        kind: 'end',
        ending,
        firstLsn,
        lastLsn,
        cutBytes,
        error: error?.code ?? null,
        problem: error?.message ?? null,
      };
    }
  }
}

function markerOf(marker: {readonly lsn: bigint; readonly digest: Uint8Array} | null): Fields {
  if (marker === null) return {snapshotLsn: null, snapshotDigest: null};
  return {snapshotLsn: marker.lsn, snapshotDigest: hexOf(Buffer.from(marker.digest).reverse())};
}

async function inspectSnapshotFile(output: Output, file: string, flags: InspectFlags): Promise<boolean> {
  const {config} = readDirectoryConfig(dirname(dirname(file)));
  const found = inspectSnapshot(file, {
    ...(config === null ? {} : {shardId: config.core.shardId}),
    ...(flags.section === undefined ? {} : {section: flags.section}),
    ...(flags.limit === undefined ? {} : {limit: flags.limit}),
  });
  await output.record(headFields(found));
  for (const {name, expected, found: count, blocks, damagedBlocks} of found.sections) {
    await output.record({kind: 'section', name, expected, found: count, blocks, damagedBlocks});
  }
  const {header, trailer, records} = found.digest;
  await output.record({
    kind: 'digest',
    header: digestText(header),
    trailer: digestText(trailer),
    records: digestText(records),
  });
  for (const record of found.records) await output.record(recordFields(record));
  for (const problem of found.problems) await output.record({kind: 'problem', problem});
  return found.problems.length === 0;
}

function headFields({bytes, header}: SnapshotInspection): Fields {
  if (header === null) return {kind: 'snapshot', bytes};
  const {lsn, slot, retiredWatermark, version, recordFormat, configuration} = header;
  return {kind: 'snapshot', bytes, lsn, slot, retiredWatermark, version, recordFormat, configuration};
}

function recordFields(record: SnapshotRecord): Fields {
  switch (record.kind) {
    case 'resource':
      return {kind: 'resource', id: record.id, state: record.state, version: record.version, lease: record.reservation};
    case 'reservation': {
      const {id, lsn, holder, state, epoch, deadlineSlot, releasedLsn, retireAfterSlot, resources} = record;
      return {kind: 'lease', id, lsn, holder, state, epoch, deadlineSlot, releasedLsn, retireAfterSlot, resources};
    }
    case 'operation': {
      const {id, lsn, result, reservation, deadlineSlot, retireAfterSlot, fingerprint} = record;
      return {kind: 'operation', id, lsn, result, lease: reservation, deadlineSlot, retireAfterSlot, fingerprint};
    }
  }
}

function digestText(digest: bigint | null): string | null {
  return digest === null ? null : digest.toString(16).padStart(32, '0');
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
