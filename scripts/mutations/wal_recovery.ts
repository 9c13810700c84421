// Mutations of opening and copying: floors, clean files, names, repairs, locks, and the syncs of the file system.
// Every sync and every check in the folders recovery and fs of the log has an entry.
// What is believed of the bytes of a frame is in `wal_format.ts`.
import type {Mutation} from './mutation.ts';
import {conformance, faults, guards, locks, NOTHING_LEFT, recovery, recycling, syncs} from './wal_killers.ts';

const COPY = 'packages/wal/src/read/wal_copy.ts';
const SCAN = 'packages/wal/src/recovery/log_scan.ts';
const LIST = 'packages/wal/src/recovery/segment_list.ts';
const REPAIR = 'packages/wal/src/recovery/log_repair.ts';
const OPEN = 'packages/wal/src/recovery/log_open.ts';
const NODE_IO = 'packages/wal/src/fs/node_file_io.ts';
const LOCK = 'packages/wal/src/fs/directory_lock.ts';

const SYSTEM = syncs('every sync of the file system');

export const WAL_RECOVERY_MUTATIONS: readonly Mutation[] = [
  {
    name: 'scan: the floor is not checked',
    file: SCAN,
    find: 'if (last < options.floor) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('a torn tail that reaches below the floor'),
  },
  {
    name: 'scan: a log that begins behind the floor is not refused',
    file: SCAN,
    find: 'if (options.floor > 0n && first > options.floor + 1n) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('a log that is known to exist'),
  },
  {
    name: 'scan: the clean file does not prove its lsn',
    file: SCAN,
    find: 'if (clean !== null && last < clean.lastLsn) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('the clean file: written by close'),
  },
  {
    name: 'scan: the clean file may be of another log',
    file: SCAN,
    find: 'if (clean?.uuid.some((byte, index) => byte !== segment.uuid[index])) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('the clean file: written by close'),
  },
  {
    name: 'scan: an empty directory with a clean file or a floor is a new log',
    file: SCAN,
    find: 'if (evidence !== null) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('a log that is known to exist'),
  },
  {
    name: 'scan: a blank last segment may begin anywhere',
    file: SCAN,
    find: 'checkBlankLast(list, scan.next);',
    replace: '',
    killedBy: recovery('a last segment without header and content'),
  },
  {
    name: 'scan: an only segment without content may begin anywhere',
    file: SCAN,
    find: 'if (list.blankLast !== null && blankFirst !== options.firstLsn) {',
    replace: 'if (false as boolean) {',
    killedBy: guards('an only segment without content'),
  },
  {
    name: 'list: a segment may be renamed',
    file: LIST,
    find: 'if (firstLsnOf(info) !== nameFirst) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('missing, swapped, emptied'),
  },
  {
    name: 'list: a segment may be of another log',
    file: LIST,
    find: 'if (before.uuid.some((byte, index) => byte !== info.uuid[index])) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('missing, swapped, emptied'),
  },
  {
    name: 'list: a segment may be missing',
    file: LIST,
    find: 'if (info.ordinal === before.ordinal + 1n) return;',
    replace: 'if (info.ordinal > before.ordinal) return;',
    killedBy: recovery('missing, swapped, emptied'),
  },
  {
    name: 'list: a last segment without header is removed whatever stands in it',
    file: LIST,
    find: 'if (isLast && isBlankBehindHeader(io, handle, sizeBytes)) return null;',
    replace: 'if (isLast) return null;',
    killedBy: recovery('a last segment without header and content'),
  },
  {
    name: 'list: a name that no writer makes is taken',
    file: LIST,
    find: "if (first === null) throw new WalError('corruption', 'a segment name that no writer makes', {segment: name});",
    replace: 'if (first === null) continue;',
    killedBy: recovery('missing, swapped, emptied'),
  },
  {
    name: 'repair: the last segment is not synced before it is read',
    file: REPAIR,
    find: 'try {\n    io.datasync(handle);\n  } finally {',
    replace: 'try {\n  } finally {',
    killedBy: syncs('what opening reads'),
  },
  {
    name: 'repair: the directory is not synced before it is read',
    file: REPAIR,
    find: '  io.syncDir(dir);\n}',
    replace: '}',
    killedBy: syncs('what opening reads'),
  },
  {
    name: 'repair: the names that are removed are not synced',
    file: REPAIR,
    find: 'if (doomed.length > 0) io.syncDir(dir);',
    replace: '',
    killedBy: recovery('the clean file is gone for good'),
  },
  {
    name: 'repair: the clean file stays',
    file: REPAIR,
    find: 'if (list.hasCleanFile) doomed.push(FILE.CLEAN);',
    replace: '',
    killedBy: recovery('the clean file: written by close'),
  },
  {
    name: 'repair: the torn tail is not zeroed',
    file: REPAIR,
    find: 'for (let at = tail.endOffset; at < tail.dirtyEnd;',
    replace: 'for (let at = tail.dirtyEnd; at < tail.dirtyEnd;',
    killedBy: recovery('a torn last frame is cut'),
  },
  {
    name: 'repair: the headers of a torn frame in a recycled file stay',
    file: REPAIR,
    find: 'writeFully(io, handle, ZEROS, blockBytes, at);',
    replace: 'void at;',
    killedBy: recycling('a torn frame in a recycled segment is cut'),
  },
  {
    name: 'repair: everything up to the torn header is zeroed in a recycled file',
    file: REPAIR,
    find: 'if (tail.segment.isRecycled) {',
    replace: 'if (false as boolean) {',
    killedBy: recycling('cutting a torn frame behind a lost marker'),
  },
  {
    name: 'repair: the unproven frame is not written again',
    file: REPAIR,
    find: 'if (isInDoubt) {',
    replace: 'if (false as boolean) {',
    killedBy: faults('a frame that a failed sync left'),
  },
  {
    name: 'repair: what is repaired is not synced',
    file: REPAIR,
    find: 'if (isTorn || isInDoubt) io.datasync(handle);',
    replace: '',
    killedBy: syncs('an opening that repaired'),
  },
  {
    name: 'open: the directory that is created is not synced',
    file: OPEN,
    find: 'if (io.makeDir(dir)) io.syncDir(parentPath(dir));',
    replace: 'io.makeDir(dir);',
    killedBy: NOTHING_LEFT,
  },
  {
    name: 'open: the first segment gets its name before it is synced',
    file: OPEN,
    find: '  io.datasync(staged.handle);\n',
    replace: '',
    killedBy: NOTHING_LEFT,
  },
  {
    name: 'open: no lock is taken',
    file: OPEN,
    find: 'const lock = options.lock ?',
    replace: 'const lock = (false as boolean) ?',
    killedBy: conformance('a second writer is refused'),
  },
  {
    name: 'lock: a held lock is taken',
    file: LOCK,
    find: 'if (result.status === HELD_EXIT_STATUS) {',
    replace: 'if (result.status === HELD_EXIT_STATUS) return;\n  if (result.status === HELD_EXIT_STATUS) {',
    killedBy: locks('a second lock in one process'),
  },
  {
    name: 'node io: datasync does nothing',
    file: NODE_IO,
    find: 'fs.fdatasyncSync(handle);',
    replace: '',
    killedBy: SYSTEM,
  },
  {
    name: 'node io: datasyncAsync does nothing',
    file: NODE_IO,
    find: 'fs.fdatasync(handle, error => (error ? reject(error) : resolve()));',
    replace: 'reject === undefined ? undefined : resolve();',
    killedBy: SYSTEM,
  },
  {
    name: 'node io: syncDir does nothing',
    file: NODE_IO,
    find: 'fs.fsyncSync(handle);',
    replace: '',
    killedBy: SYSTEM,
  },
  {
    name: 'node io: syncDirAsync does nothing',
    file: NODE_IO,
    find: 'await handle.sync();',
    replace: '',
    killedBy: SYSTEM,
  },
  {
    name: 'copy: its directory is not synced into its parent',
    file: COPY,
    find: 'if (toIo.makeDir(to)) toIo.syncDir(parentPath(to));',
    replace: 'toIo.makeDir(to);',
    killedBy: syncs('a copy is durable'),
  },
  {
    name: 'copy: its names are not synced',
    file: COPY,
    find: 'await syncCopy(toIo, to);',
    replace: '',
    killedBy: syncs('a copy is durable'),
  },
  {
    name: 'copy: its files are not synced',
    file: COPY,
    find: 'await toIo.datasyncAsync(into);',
    replace: '',
    killedBy: syncs('a copy is durable'),
  },
  {
    name: 'copy: it is not marked before its segments are there',
    file: COPY,
    find: "guardIo('marking the copy', () => writeCleanFile(toIo, to, source));",
    replace: '',
    killedBy: syncs('a copy cut short'),
  },
];
