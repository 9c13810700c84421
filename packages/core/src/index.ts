/**
 * The public surface of the trusted core, by name. Everything here is pure: bytes in, state, bytes out.
 */

export {decodeClientRequest, encodeClientRequest, type PayloadError} from './codec/command_codec.ts';
export {decodeClientCommand, decodeInternalCommand, writeExpire} from './codec/command_decoder.ts';
export {
  BUNDLE_HEADER_BYTES,
  CLIENT_HEADER_BYTES,
  type ClientRequest,
  COMMAND,
  type Command,
  CommandRegisters,
  type CommandTag,
  DECODE,
  type DecodeStatus,
  EXPIRE_BYTES,
  REG,
  WIRE_BUNDLE_MEMBERS_MAX,
} from './command.ts';
export {
  type ConfigIssue,
  type CoreConfig,
  memoryBytesOf,
  operationWindowOf,
  validateCoreConfig,
} from './config.ts';
export {Hash128} from './hash.ts';
export {checkInvariants} from './invariants/check.ts';
export {AllocDb, type Lanes} from './machine/alloc_db.ts';
export type {Lookahead} from './machine/lookahead.ts';
export {copyStates, Scan, scanReservations, scanResources} from './machine/scan.ts';
export {historyOverflows, overflowOf, SlotOverflow} from './machine/slots.ts';
export {
  LOOKUP,
  ReservationView,
  ResourceView,
  readMemberId,
  readReservation,
  readResource,
  slotLag,
  viewReservation,
  viewResource,
} from './machine/view.ts';
export {Outcome} from './outcome.ts';
export {
  OVERFLOW,
  OVERFLOW_NAMES,
  RESERVATION_STATE,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE,
  RESOURCE_STATE_NAMES,
  RESULT,
  RESULT_NAMES,
  type ResultCode,
  type ResultName,
} from './result.ts';
export {StateDigest} from './snapshot/digest.ts';
export {digestOf} from './snapshot/digest_of.ts';
export {
  OPERATION_RECORD,
  RECORD_FORMAT,
  RESERVATION_RECORD,
  RESOURCE_RECORD,
  SECTION,
  SNAPSHOT_ORDER,
} from './snapshot/record_codec.ts';
export {SnapshotLoader} from './snapshot/snapshot_loader.ts';
export {type SectionCounts, type SnapshotPosition, SnapshotReader} from './snapshot/snapshot_reader.ts';
export {GRANT_FLAG, OPERATION} from './table/operation_table.ts';
export {RESERVATION} from './table/reservation_table.ts';
export {RESOURCE} from './table/resource_table.ts';
export {addU64, bigintOfU64, bigintOfU128, hiOf, loOf, ltU64, U64_MAX, U128_MAX, writeU128} from './words.ts';
