// Mutations of what the log believes of the bytes it reads: checksums, salts, places, links, evidence and bounds.
// Every check in the folders format and read of the log has an entry.
// What opening makes of it is in `wal_recovery.ts`.
import type {Mutation} from './mutation.ts';
import {conformance, cursor, damages, format, guards, properties, recovery, recycling, syncs} from './wal_killers.ts';

const FRAME_HEADER = 'packages/wal/src/format/frame_header.ts';
const SEGMENT_HEADER = 'packages/wal/src/format/segment_header.ts';
const CLEAN_FILE = 'packages/wal/src/format/clean_file.ts';
const WALKER = 'packages/wal/src/read/frame_walker.ts';
const LOG_WALKER = 'packages/wal/src/read/log_walker.ts';
const CURSOR = 'packages/wal/src/read/log_cursor.ts';
const RECORD = 'packages/wal/src/read/record_view.ts';

const ANY_BYTE = properties('any single byte change');

export const WAL_FORMAT_MUTATIONS: readonly Mutation[] = [
  {
    name: 'frame header: its checksum is not checked',
    file: FRAME_HEADER,
    find: 'if (checksum !== crc32c(bytes, at, FRAME.HEADER_CHECKSUM, salt)) return HEAD.NONE;',
    replace: '',
    killedBy: ANY_BYTE,
  },
  {
    name: 'frame header: its checksum is not seeded with the salt',
    file: FRAME_HEADER,
    find: 'FRAME.HEADER_CHECKSUM, salt)) return',
    replace: 'FRAME.HEADER_CHECKSUM, 0)) return',
    killedBy: conformance('records come back in order'),
  },
  {
    name: 'frame header: written and read without the salt',
    file: 'packages/wal/src/format/checksum.ts',
    find: 'return length < SHORT_BYTES ? crc32cByTable(bytes, offset, length, seed)',
    replace:
      'return length === 44 ? crc32cByTable(bytes, offset, length, 0) : length < SHORT_BYTES ? crc32cByTable(bytes, offset, length, seed)',
    killedBy: recycling('a frame of an earlier life'),
  },
  {
    name: 'frame header: its block number is not checked',
    file: FRAME_HEADER,
    find: 'if (view.getInt32(at + FRAME.BLOCK, true) !== block) return HEAD.NONE;',
    replace: '',
    killedBy: damages('a copy of a frame in another place is no frame'),
  },
  {
    name: 'frame header: its version is not checked',
    file: FRAME_HEADER,
    find: 'view.getUint16(at + FRAME.VERSION, true) === FORMAT_VERSION &&',
    replace: '',
    killedBy: guards('a frame of a later version'),
  },
  {
    name: 'frame header: flags of a later version are not refused',
    file: FRAME_HEADER,
    find: 'view.getUint8(at + FRAME.FLAGS) === 0 &&',
    replace: '',
    killedBy: guards('a frame of a later version'),
  },
  {
    name: 'frame header: an unknown kind is not refused',
    file: FRAME_HEADER,
    find: 'out.kind <= FRAME_KIND.SNAPSHOT;',
    replace: 'out.kind <= 255;',
    killedBy: guards('a frame of a later version'),
  },
  {
    name: 'frame body: its checksum is not checked',
    file: FRAME_HEADER,
    find: 'return body === head.bodyChecksum;',
    replace: 'return body === head.bodyChecksum || true;',
    killedBy: ANY_BYTE,
  },
  {
    name: 'frame body: its padding is not covered',
    file: FRAME_HEADER,
    find: 'const body = crc32c(bytes, at + FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, 0);\n  return',
    replace:
      'const body = frameBytes < 0 ? 0 : head.bodyChecksum ^ (crc32c(bytes, at + FRAME_HEADER_BYTES, head.bodyBytes, 0) === 0 ? 1 : 0);\n  return',
    killedBy: ANY_BYTE,
  },
  {
    name: 'segment header: its checksum is not checked',
    file: SEGMENT_HEADER,
    find: 'if (view.getInt32(SEGMENT.CHECKSUM, true) !== crc32c(block, 0, SEGMENT.CHECKSUM, 0)) return null;',
    replace: '',
    killedBy: format('a segment header says what was written'),
  },
  {
    name: 'segment header: its magic is not checked',
    file: SEGMENT_HEADER,
    find: 'if (!magicFits) return null;',
    replace: '',
    killedBy: guards('a block with another magic'),
  },
  {
    name: 'segment header: a later version is not refused',
    file: SEGMENT_HEADER,
    find: 'if (version !== FORMAT_VERSION || (flags & ~SEGMENT_FLAG.RECYCLED) !== 0) {',
    replace: 'if ((flags & ~SEGMENT_FLAG.RECYCLED) !== 0) {',
    killedBy: guards('a segment of a later version'),
  },
  {
    name: 'segment header: flags of a later version are not refused',
    file: SEGMENT_HEADER,
    find: 'if (version !== FORMAT_VERSION || (flags & ~SEGMENT_FLAG.RECYCLED) !== 0) {',
    replace: 'if (version !== FORMAT_VERSION) {',
    killedBy: guards('a segment of a later version'),
  },
  {
    name: 'segment header: any block size but 0 is believed',
    file: SEGMENT_HEADER,
    find: 'if (!isBlockSize(blockBytes)) return null;',
    replace: 'if (blockBytes === 0) return null;',
    killedBy: guards('a segment with an impossible block size'),
  },
  {
    name: 'clean file: its checksum is not checked',
    file: CLEAN_FILE,
    find: 'view.getInt32(CLEAN.CHECKSUM, true) === crc32c(bytes, 0, CLEAN.CHECKSUM, 0);',
    replace: 'true;',
    killedBy: recovery('the clean file: written by close'),
  },
  {
    name: 'clean file: it is not synced before it is renamed',
    file: CLEAN_FILE,
    find: 'io.datasync(handle);',
    replace: '',
    killedBy: syncs('the clean file and the segments'),
  },
  {
    name: 'clean file: its name is not synced',
    file: CLEAN_FILE,
    find: 'io.syncDir(dir);',
    replace: '',
    killedBy: syncs('the clean file and the segments'),
  },
  {
    name: 'walker: an intact frame in place may have any lsn',
    file: WALKER,
    find: "if (!next.equals(head.lsnLo, head.lsnHi)) this.fail('gap'",
    replace: "if (false as boolean) this.fail('gap'",
    killedBy: damages('a frame that begins at another lsn'),
  },
  {
    name: 'walker: an intact frame in place may have any link',
    file: WALKER,
    find: 'if (head.link !== this.link)\n',
    replace: 'if (false as boolean)\n',
    killedBy: damages('a frame that follows another frame'),
  },
  {
    name: 'walker: a control frame in place may stand for any lsn',
    file: WALKER,
    find: '} else if (!next.before(this.#before).equals(head.lsnLo, head.lsnHi)) {',
    replace: '} else if (false as boolean) {',
    killedBy: guards('a control frame written after other frames'),
  },
  {
    name: 'walker: a frame behind the damage continues the log whatever its link',
    file: WALKER,
    find: 'next.equals(head.lsnLo, head.lsnHi) && head.link === this.link;',
    replace: 'next.equals(head.lsnLo, head.lsnHi);',
    killedBy: guards('a frame behind lost control frames that follows another frame'),
  },
  {
    name: 'walker: a frame behind the damage continues the log whatever its lsn',
    file: WALKER,
    find: 'next.equals(head.lsnLo, head.lsnHi) && head.link === this.link;',
    replace: 'head.link === this.link;',
    killedBy: guards('a frame behind lost control frames that has another lsn'),
  },
  {
    name: 'walker: a later frame is no evidence',
    file: WALKER,
    find: 'if (!lessThan(head.syncedLo, head.syncedHi, next.lo, next.hi)) {',
    replace: 'if (false as boolean) {',
    killedBy: damages('proven by idle'),
  },
  {
    name: 'walker: a later frame that had synced exactly the damaged lsn is no evidence',
    file: WALKER,
    find: 'if (!lessThan(head.syncedLo, head.syncedHi, next.lo, next.hi)) {',
    replace: 'if (lessThan(next.lo, next.hi, head.syncedLo, head.syncedHi)) {',
    killedBy: ANY_BYTE,
  },
  {
    name: 'walker: what stands behind the damage is not searched',
    file: WALKER,
    find: 'return this.#search(this.dirtyEnd);',
    replace: 'return false;',
    killedBy: damages('proven by idle'),
  },
  {
    name: 'walker: what stands behind a hole is not searched',
    file: WALKER,
    find: 'return this.#search(this.position);',
    replace: 'return false;',
    killedBy: damages('proven by idle'),
  },
  {
    name: 'walker: the length of a frame is not bounded',
    file: WALKER,
    find: 'if (frameBytes > this.#frameBytesMax) {',
    replace: 'if (false as boolean) {',
    killedBy: properties('a frame that claims more than the bound'),
  },
  {
    name: 'walker: the counts of a frame are not checked',
    file: WALKER,
    find: 'this.#checkCounts();',
    replace: '',
    killedBy: guards('a frame with impossible counts'),
  },
  {
    name: 'walker: old frames in a recycled file are a torn tail',
    file: WALKER,
    find: 'if (found === HEAD.NONE && this.segment.isRecycled) return;',
    replace: '',
    killedBy: recycling('the old bytes behind the last frame'),
  },
  {
    name: 'log walker: the next segment may begin at any lsn',
    file: LOG_WALKER,
    find: 'if (!frames.next.equals(firstLo, firstHi)) {',
    replace: 'if (false as boolean) {',
    killedBy: recovery('missing, swapped, emptied'),
  },
  {
    name: 'log walker: the next segment may have any link',
    file: LOG_WALKER,
    find: 'if (link !== frames.link)',
    replace: 'if (false as boolean)',
    killedBy: damages('a segment that follows another segment'),
  },
  {
    name: 'record: its header may pass the end of the frame',
    file: RECORD,
    find: 'if (at + RECORD_HEADER_BYTES > end) return -1;',
    replace: '',
    killedBy: guards('a record that would begin behind'),
  },
  {
    name: 'record: its payload may pass the end of the frame',
    file: RECORD,
    find: 'if (offset + length > end) return -1;',
    replace: '',
    killedBy: guards('a record that passes the end'),
  },
  {
    name: 'cursor: records may leave bytes of the frame',
    file: CURSOR,
    find: 'if (this.#at !== this.#end) this.#malformed();',
    replace: '',
    killedBy: cursor('a frame whose records do not fill it'),
  },
];
