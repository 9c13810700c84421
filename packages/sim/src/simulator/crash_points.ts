// The named crash points, as data: between which two steps a process ends there.
//
// No hook in the engine knows of them. A point at a request lies before the engine is given it, or after it has applied
// it and nothing was written yet; a point at a call is recognised by what the engine asks of its files: which call, on
// what kind of file, with what in it, while opening or running. Where a call is part of the point's name, the process
// ends when the call has done its work and before the engine hears of it.
// Not here: watching and ending (`watched_io.ts`, `world.ts`).

export type CallName =
  | 'open'
  | 'close'
  | 'size'
  | 'read'
  | 'write'
  | 'datasync'
  | 'rename'
  | 'unlink'
  | 'list'
  | 'makeDir'
  | 'removeDir'
  | 'syncDir';

/** What a path is, by its name; `spare` is the next segment, `unfinished` a snapshot that is being written. */
export type FileKind =
  | 'segment'
  | 'spare'
  | 'clean'
  | 'snapshot'
  | 'unfinished'
  | 'config'
  | 'log_dir'
  | 'snapshot_dir'
  | 'other';

/** One call of the engine on its files. */
export interface FileCall {
  readonly name: CallName;
  readonly kind: FileKind;
  /** Kind of the new name of a rename. */
  readonly toKind: FileKind | null;
  readonly life: 'opening' | 'running';
  /** Records in the frame that a write begins or a sync completes. */
  readonly hasClient: boolean;
  readonly hasInternal: boolean;
  /** A sync of the directory behind the publication of a snapshot, or behind the removal of a segment. */
  readonly completes: 'publish' | 'truncation' | null;
  /** A sync of a segment that opening has just written to. */
  readonly repairs: boolean;
}

type AtRequest = {readonly at: 'request'; readonly of: 'client' | 'internal'; readonly moment: 'before' | 'after'};
type AtCall = {
  readonly at: 'call';
  readonly moment: 'before' | 'within' | 'after';
  readonly hits: (call: FileCall) => boolean;
};
export type CrashPoint = AtRequest | AtCall;

const after = (hits: (call: FileCall) => boolean): AtCall => ({at: 'call', moment: 'after', hits});

export type CrashPointName =
  | 'client_before_append'
  | 'client_after_apply'
  | 'client_after_sync'
  | 'internal_before_append'
  | 'internal_after_apply'
  | 'internal_after_sync'
  | 'after_snapshot_write'
  | 'after_snapshot_publish'
  | 'after_log_truncation'
  | 'after_snapshot_load'
  | 'after_tail_cut'
  | 'after_replay_read'
  | 'before_call'
  | 'within_call'
  | 'after_call'
  | 'within_opening_call'
  | 'within_snapshot_write'
  | 'within_segment_change';

export const CRASH_POINTS: Readonly<Record<CrashPointName, CrashPoint>> = {
  client_before_append: {at: 'request', of: 'client', moment: 'before'},
  client_after_apply: {at: 'request', of: 'client', moment: 'after'},
  client_after_sync: after(({name, hasClient, life}) => life === 'running' && name === 'datasync' && hasClient),
  internal_before_append: {at: 'request', of: 'internal', moment: 'before'},
  internal_after_apply: {at: 'request', of: 'internal', moment: 'after'},
  internal_after_sync: after(({name, hasInternal, life}) => life === 'running' && name === 'datasync' && hasInternal),
  after_snapshot_write: after(({name, kind}) => name === 'datasync' && kind === 'unfinished'),
  after_snapshot_publish: after(({completes}) => completes === 'publish'),
  after_log_truncation: after(({completes}) => completes === 'truncation'),
  after_snapshot_load: after(({name, kind, life}) => life === 'opening' && name === 'close' && kind === 'snapshot'),
  after_tail_cut: after(({name, repairs}) => name === 'datasync' && repairs),
  after_replay_read: after(({name, kind, life}) => life === 'opening' && name === 'read' && kind === 'segment'),
  before_call: {at: 'call', moment: 'before', hits: ({name}) => name !== 'close'},
  within_call: {at: 'call', moment: 'within', hits: ({name}) => name !== 'close'},
  after_call: after(({name}) => name !== 'close'),
  within_opening_call: {at: 'call', moment: 'within', hits: ({name, life}) => life === 'opening' && name !== 'close'},
  within_snapshot_write: {at: 'call', moment: 'within', hits: ({kind}) => kind === 'unfinished'},
  within_segment_change: {
    at: 'call',
    moment: 'within',
    hits: ({name, kind, toKind, life}) =>
      life === 'running' && (kind === 'spare' || toKind === 'segment' || (name === 'syncDir' && kind === 'log_dir')),
  },
};

export const CRASH_POINT_NAMES: readonly CrashPointName[] = Object.keys(CRASH_POINTS) as CrashPointName[];

/** What kind of file a path of the data directory is. */
export function fileKindOf(path: string): FileKind {
  if (path.endsWith('.seg')) return 'segment';
  if (path.endsWith('.snap')) return 'snapshot';
  if (path.endsWith('.snap.tmp')) return 'unfinished';
  if (path.endsWith('/wal')) return 'log_dir';
  if (path.endsWith('/snapshots')) return 'snapshot_dir';
  if (path.includes('/wal/clean')) return 'clean';
  if (path.includes('/wal/')) return 'spare';
  return path.includes('/CONFIG') ? 'config' : 'other';
}
