/**
 * Ids as people handle them: opaque strings in one canonical form, 32 lower-case hex digits, which read as one number
 * (most significant digit first) are the u128 of the wire. A brand keeps the kinds apart at compile time and costs
 * nothing at run time. Id constructors are synchronous and throw; functions that return promises never do.
 *
 * Not here: what an id means. Any 128-bit value is a valid id, 0 included; generated ones are never 0.
 */
import {sha256} from '@noble/hashes/sha2.js';
import {checkU128} from './bigint_lanes.ts';
import {utf8Bytes} from './text.ts';

declare const brand: unique symbol;
/** A canonical id of one kind. */
export type Id<Kind extends string> = string & {readonly [brand]: Kind};

/** Names a scarce thing. Chosen by whoever creates it. */
export type ResourceId = Id<'resource'>;
/** Names whoever holds a thing: an order, a worker, a person. */
export type HolderId = Id<'holder'>;
/** Names one intent, so that it happens once however often it is sent. */
export type OperationId = Id<'operation'>;
/** Names a reservation. Given by the database; only grows within a shard, so it is also a fence. */
export type ReservationId = Id<'reservation'>;
/** Names a client process. It is logged and decides nothing. */
export type ClientId = Id<'client'>;

interface RandomSource {
  getRandomValues(bytes: Uint8Array): Uint8Array;
}
declare const crypto: RandomSource;

const HEX = /^[0-9a-f]{32}$/;
const ZERO = /^0*$/;
const ACCEPTED = /^(?:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i;

function parse<Kind extends string>(text: string, kind: Kind): Id<Kind> {
  if (typeof text !== 'string') throw new TypeError(`a ${kind} id must be a string, got ${typeof text}`);
  if (HEX.test(text)) return text as Id<Kind>;
  if (!ACCEPTED.test(text)) {
    throw new RangeError(`a ${kind} id must be a UUID or 32 hex digits, got ${JSON.stringify(text.slice(0, 64))}`);
  }
  return text.replaceAll('-', '').toLowerCase() as Id<Kind>;
}

function fromBigint<Kind extends string>(value: bigint, kind: Kind): Id<Kind> {
  return checkU128(value, `a ${kind} id`).toString(16).padStart(32, '0') as Id<Kind>;
}

const HEX_OF_BYTE: readonly string[] = Array.from({length: 256}, (_, byte) => byte.toString(16).padStart(2, '0'));
const ID_BYTES = 16;

function hexOf<Kind extends string>(bytes: Uint8Array, at: number): Id<Kind> {
  let text = '';
  for (let i = at; i < at + ID_BYTES; i++) text += HEX_OF_BYTE[bytes[i] as number];
  return text as Id<Kind>;
}

function hash<Kind extends string>(text: string, kind: Kind): Id<Kind> {
  if (typeof text !== 'string') throw new TypeError(`a ${kind} id is derived from a string, got ${typeof text}`);
  return hexOf(sha256(utf8Bytes(text)), 0);
}

/** Randomness for the next ids: asking for 4 KiB costs hardly more than asking for 16 bytes (3 µs against 2). */
const pool: Uint8Array = new Uint8Array(256 * ID_BYTES);
let poolAt: number = pool.byteLength;

function random<Kind extends string>(): Id<Kind> {
  for (;;) {
    if (poolAt === pool.byteLength) {
      crypto.getRandomValues(pool);
      poolAt = 0;
    }
    const id: Id<Kind> = hexOf(pool, poolAt);
    // What was handed out is not kept.
    pool.fill(0, poolAt, poolAt + ID_BYTES);
    poolAt += ID_BYTES;
    if (!ZERO.test(id)) return id;
  }
}

/** Reads a resource id: a UUID or 32 hex digits in either case. Throws TypeError or RangeError for anything else. */
export function resourceId(text: string): ResourceId {
  return parse(text, 'resource');
}

/** Reads a holder id: a UUID or 32 hex digits in either case. Throws TypeError or RangeError for anything else. */
export function holderId(text: string): HolderId {
  return parse(text, 'holder');
}

/** Reads an operation id: a UUID or 32 hex digits in either case. Throws TypeError or RangeError for anything else. */
export function operationId(text: string): OperationId {
  return parse(text, 'operation');
}

/** Reads a reservation id: a UUID or 32 hex digits in either case. Throws TypeError or RangeError for anything else. */
export function reservationId(text: string): ReservationId {
  return parse(text, 'reservation');
}

/** Reads a client id: a UUID or 32 hex digits in either case. Throws TypeError or RangeError for anything else. */
export function clientId(text: string): ClientId {
  return parse(text, 'client');
}

/**
 * The resource id of a name of any length, such as "hall 1/row C/seat 12": the first 16 bytes of SHA-256 of its UTF-8
 * bytes, first byte most significant. Any language reproduces it, so no table of names is needed.
 */
export function resourceIdFrom(name: string): ResourceId {
  return hash(name, 'resource');
}

/** The holder id of a name; derived as by {@link resourceIdFrom}. */
export function holderIdFrom(name: string): HolderId {
  return hash(name, 'holder');
}

/** The operation id of a name, such as "order 4711/reserve"; derived as by {@link resourceIdFrom}. */
export function operationIdFrom(name: string): OperationId {
  return hash(name, 'operation');
}

/** The client id of a name; derived as by {@link resourceIdFrom}. */
export function clientIdFrom(name: string): ClientId {
  return hash(name, 'client');
}

/** A random resource id, never 0. */
export function newResourceId(): ResourceId {
  return random();
}

/** A random holder id, never 0. */
export function newHolderId(): HolderId {
  return random();
}

/** A random operation id, never 0. Store it before the call, and a retry after a crash answers as the first did. */
export function newOperationId(): OperationId {
  return random();
}

/** A random client id, never 0. */
export function newClientId(): ClientId {
  return random();
}

/** The number that an id is on the wire. */
export function idToBigint(id: Id<string>): bigint {
  return BigInt(`0x${parse(id, 'canonical')}`);
}

/** The resource id of a u128. Throws RangeError when it does not fit. */
export function resourceIdFromBigint(value: bigint): ResourceId {
  return fromBigint(value, 'resource');
}

/** The holder id of a u128. Throws RangeError when it does not fit. */
export function holderIdFromBigint(value: bigint): HolderId {
  return fromBigint(value, 'holder');
}

/** The operation id of a u128. Throws RangeError when it does not fit. */
export function operationIdFromBigint(value: bigint): OperationId {
  return fromBigint(value, 'operation');
}

/** The reservation id of a u128. Throws RangeError when it does not fit. */
export function reservationIdFromBigint(value: bigint): ReservationId {
  return fromBigint(value, 'reservation');
}

/** The client id of a u128. Throws RangeError when it does not fit. */
export function clientIdFromBigint(value: bigint): ClientId {
  return fromBigint(value, 'client');
}
