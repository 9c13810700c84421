/**
 * What a command is: its tags and sizes on the wire, the objects that people write (`Command`, with bigints), and the
 * registers into which the machine decodes one (`CommandRegisters`, 32-bit lanes, reused for every command).
 *
 * `expire` is internal: only the engine logs it, and a client payload that carries its tag is refused. `client_id`
 * travels with a request and is logged, but takes part neither in dedupe nor in the fingerprint.
 */

/** Command tags. Those up to 5 are of the original alpha surface, byte for byte; ours begin at 16. */
export const COMMAND = {
  CREATE_RESOURCE: 1,
  RESERVE: 2,
  CONFIRM: 3,
  RELEASE: 4,
  EXPIRE: 5,
  RESERVE_BUNDLE: 16,
  CONFIRM_FENCED: 17,
  RELEASE_FENCED: 18,
  REVOKE: 19,
  RECLAIM: 20,
} as const;
/** One of {@link COMMAND}. */
export type CommandTag = (typeof COMMAND)[keyof typeof COMMAND];

/** Bytes of operation id and client id before the command's tag. */
export const CLIENT_HEADER_BYTES = 32;
/** Bytes of a reserve_bundle payload before its resource ids. */
export const BUNDLE_HEADER_BYTES: number = CLIENT_HEADER_BYTES + 1 + 16 + 8 + 2;
/** Bytes of an internal expire record: tag, reservation id, deadline. */
export const EXPIRE_BYTES: number = 1 + 16 + 8;
/** Most members that the wire's 16-bit count can say. */
export const WIRE_BUNDLE_MEMBERS_MAX = 0xffff;

/** A client's command. Ids are u128, slots and epochs u64. */
export type Command =
  | {kind: 'create_resource'; resourceId: bigint}
  | {kind: 'reserve'; resourceId: bigint; holderId: bigint; ttlSlots: bigint}
  | {kind: 'reserve_bundle'; resourceIds: readonly bigint[]; holderId: bigint; ttlSlots: bigint}
  | {kind: 'confirm' | 'release'; reservationId: bigint; holderId: bigint}
  | {kind: 'confirm_fenced' | 'release_fenced'; reservationId: bigint; holderId: bigint; leaseEpoch: bigint}
  | {kind: 'revoke' | 'reclaim'; reservationId: bigint};

/** A command with the ids of its operation and of its client (u128 each). */
export interface ClientRequest {
  operationId: bigint;
  clientId: bigint;
  command: Command;
}

/**
 * Lanes of the registers: operation id, the resource's or reservation's id, the holder, and ttl, epoch or deadline; side
 * by side and filled up to a multiple of four, so that a hash takes the fields of a command in one go.
 */
export const REG = {OPERATION: 0, SUBJECT: 4, HOLDER: 8, AMOUNT: 12} as const;

/** Why a payload is not a command, numbered as on the wire; NONE when it is one. */
export const DECODE = {NONE: 0, BUFFER_TOO_SHORT: 1, INVALID_COMMAND_TAG: 2, INVALID_LAYOUT: 3} as const;
/** One of {@link DECODE}. */
export type DecodeStatus = (typeof DECODE)[keyof typeof DECODE];

/**
 * One decoded command, reused. The members of a bundle stay where they are: `view` must not change until the command
 * was applied.
 */
export class CommandRegisters {
  /** Lanes as {@link REG} says; those that the command's tag does not use hold leftovers. */
  readonly words: Int32Array = new Int32Array(16);
  tag: number = 0;
  /** Members of the bundle; 1 for reserve. */
  memberCount: number = 0;
  /** Where the first member's id stands in `view`. */
  membersOffset: number = 0;
  view: DataView = new DataView(new ArrayBuffer(0));
}
