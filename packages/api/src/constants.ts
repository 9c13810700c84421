/**
 * Tags, codes and sizes of the binary API, numbered as on the wire, with the names that people see beside them. Tags up
 * to 15 and codes up to 7 are those of the original alpha surface, byte for byte; what was added since begins at 16.
 *
 * Numbers are what the engine's hot path compares and writes; the object level speaks in names. The two meet in these
 * tables only. Results and states belong to the state machine and are taken from `@allocdb/core`.
 */

/** First byte of a request. */
export const REQUEST = {
  SUBMIT: 1,
  GET_RESOURCE: 2,
  GET_RESERVATION: 3,
  GET_METRICS: 4,
  TICK_EXPIRATIONS: 5,
  SUBMIT_BATCH: 16,
  GET_LEASE: 17,
  SCAN_RESOURCES: 18,
  SCAN_RESERVATIONS: 19,
} as const;

/** First byte of a response. */
export const RESPONSE = {
  SUBMIT_COMMITTED: 1,
  SUBMIT_REJECTED: 2,
  RESOURCE_FOUND: 3,
  RESOURCE_NOT_FOUND: 4,
  RESOURCE_FENCE_NOT_APPLIED: 5,
  RESERVATION_FOUND: 6,
  RESERVATION_NOT_FOUND: 7,
  RESERVATION_RETIRED: 8,
  RESERVATION_FENCE_NOT_APPLIED: 9,
  METRICS: 10,
  RESOURCE_ENGINE_HALTED: 11,
  RESERVATION_ENGINE_HALTED: 12,
  TICK_APPLIED: 13,
  TICK_REJECTED: 14,
  BATCH_RESULT: 16,
  LEASE_FOUND: 17,
  RESOURCES_PAGE: 18,
  RESERVATIONS_PAGE: 19,
} as const;

/** Second byte of a rejected response: whether it is known that nothing happened. */
export const CATEGORY = {DEFINITE_FAILURE: 1, INDEFINITE: 2} as const;

/** Third byte of a rejected response: why there is no answer. */
export const FAILURE = {
  ENGINE_HALTED: 1,
  INVALID_REQUEST: 2,
  SLOT_OVERFLOW: 3,
  COMMAND_TOO_LARGE: 4,
  LSN_EXHAUSTED: 5,
  OVERLOADED: 6,
  STORAGE_FAILURE: 7,
  STORAGE_FULL: 16,
} as const;

/** Why a command payload could not be decoded; the same numbers as the command decoder's statuses. */
export const INVALID_REQUEST_REASON = {BUFFER_TOO_SHORT: 1, INVALID_COMMAND_TAG: 2, INVALID_LAYOUT: 3} as const;
/** Names by reason; index 0 is unused. */
export const INVALID_REQUEST_REASON_NAMES = ['', 'buffer_too_short', 'invalid_command_tag', 'invalid_layout'] as const;

/** How the engine came up, as the metrics tell it. */
export const STARTUP_KIND = {FRESH_START: 1, WAL_ONLY: 2, SNAPSHOT_ONLY: 3, SNAPSHOT_AND_WAL: 4} as const;
/** Names by startup kind; index 0 is unused. */
export const STARTUP_KIND_NAMES = ['', 'fresh_start', 'wal_only', 'snapshot_only', 'snapshot_and_wal'] as const;

/** Errors of an outer frame; NONE when it is well formed. They are the caller's and never travel as a response. */
export const CODEC = {
  NONE: 0,
  BUFFER_TOO_SHORT: 1,
  INVALID_REQUEST_TAG: 2,
  INVALID_RESPONSE_TAG: 3,
  INVALID_ENUM_VALUE: 4,
  INVALID_LAYOUT: 5,
  LENGTH_TOO_LARGE: 6,
} as const;

/** First byte of the frames that concern a connection rather than the database. */
export const CONNECTION_FRAME = {
  HELLO: 0xf0,
  WELCOME: 0xf1,
  SUBSCRIBE: 0xf2,
  CHANGE: 0xf3,
  FEED_END: 0xf4,
  ERROR: 0xff,
} as const;

/** The protocol version spoken here, in hello and welcome. */
export const PROTOCOL_VERSION = 1;

/** Codes of a connection's error frame. */
export const CONNECTION_ERROR = {
  BAD_MAGIC: 1,
  UNSUPPORTED_VERSION: 2,
  UNAUTHORIZED: 3,
  FRAME_TOO_LARGE: 4,
  EMPTY_FRAME: 5,
  MALFORMED_REQUEST: 6,
  BATCH_TOO_LARGE: 7,
  SHUTTING_DOWN: 8,
  SLOW_CONSUMER: 9,
  FORBIDDEN: 10,
  RATE_LIMITED: 11,
  TOO_MANY_CONNECTIONS: 12,
} as const;
/** Names by connection error code; index 0 is unused. */
export const CONNECTION_ERROR_NAMES = [
  '',
  'bad_magic',
  'unsupported_version',
  'unauthorized',
  'frame_too_large',
  'empty_frame',
  'malformed_request',
  'batch_too_large',
  'shutting_down',
  'slow_consumer',
  'forbidden',
  'rate_limited',
  'too_many_connections',
] as const;
/** Name of a connection error, without the unused entry. */
export type ConnectionErrorName = Exclude<(typeof CONNECTION_ERROR_NAMES)[number], ''>;

/** Sizes in bytes, for callers that reserve room before they write. */
export const SIZE = {
  /** Length prefix of every frame on a TCP connection. */
  FRAME_PREFIX: 4,
  /** Largest submit committed. */
  SUBMIT_COMMITTED_MAX: 37,
  /** Largest submit or tick rejected (slot_overflow). */
  REJECTED_MAX: 20,
  /** Largest response of any tag but batch result, lease found and the pages of a scan. */
  FIXED_RESPONSE_MAX: 84,
  /** Batch result before its first member. */
  BATCH_RESULT_HEADER: 3,
  /** Largest lease found before its first member. */
  LEASE_HEADER_MAX: 80,
  /** One member of a lease, as of a bundle. */
  ID: 16,
  /** Largest page before its first entry. */
  PAGE_HEADER_MAX: 21,
  /** Smallest and largest resource in a page. */
  RESOURCE_ENTRY_MIN: 26,
  RESOURCE_ENTRY_MAX: 42,
  /** A lease in a page, its members not counted: one that is live, and one that is over. */
  LEASE_ENTRY_MIN: 63,
  LEASE_ENTRY_MAX: 79,
} as const;

/**
 * Bounds of one page of a scan. No command is applied while a page is made, so it must not hold up the writers: so many
 * rows are 512 KiB of a table that no cache holds, and with what is shown of them about a millisecond of cold memory.
 */
export const PAGE = {
  /** Rows looked at, shown or not: a page may be empty and not be the last one. */
  ROWS_MAX: 8192,
  /** Resources or leases shown. */
  ENTRIES_MAX: 1000,
  /**
   * Bytes behind the tag, with the header at its largest. The first entry is shown however large it is, so that every
   * page gets on.
   */
  BODY_BYTES_MAX: 65_536,
} as const;

/** Largest number that the 16-bit counts of a batch, a bundle and a token can say. */
export const COUNT_MAX = 0xffff;
