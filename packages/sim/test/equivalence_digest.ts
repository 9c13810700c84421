/**
 * The digest of a state by its definition in docs/storage.md, computed from the model's plain objects: records laid out as
 * words, hashed and summed here, with no code of the core. That the core's digest is this one says that both hold the
 * same records, fingerprints of operations included, which a dump leaves out.
 *
 * Hashes of operations, which never change once stored, are kept between calls; everything else is computed each time.
 */
import {
  type Operation,
  RESERVATION_STATES,
  RESOURCE_STATES,
  type Reservation,
  type Resource,
  resultCode,
  type State,
} from '@allocdb/sim';

const RESOURCES = 1;
const RESERVATIONS = 2;
const OPERATIONS = 3;
const POSITION = 4;

const GRANTED = 0x100;
const U64_MASK = (1n << 64n) - 1n;
const U128_MASK = (1n << 128n) - 1n;
const BUNDLE_TAG = 16;
/** Of a bundle's body: holder (16) and ttl (8), then the count in two bytes. */
const COUNT_OFFSET = 24;

const INITIAL: readonly number[] = [0x3c6ef372, 0x1f83d9ab, 0x2545f491, 0x6a09e667];
const MULTIPLIERS: readonly number[] = [0x2c1b3c6d, 0x297a2d39, 0x7feb352d, 0x5851f42d];
const ROTATIONS: readonly number[] = [15, 13, 17, 11];

function rotatedLeft(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}

/** One round: every lane takes its word, then the new value of the lane before it, the first one that of the last's old. */
function absorb(lanes: number[], words: readonly number[]): void {
  const mixed = lanes.map((lane, i) => Math.imul(lane ^ (words[i] ?? 0), MULTIPLIERS[i] ?? 0) >>> 0);
  let neighbour = mixed[3] ?? 0;
  for (let i = 0; i < 4; i++) {
    neighbour = (rotatedLeft(mixed[i] ?? 0, ROTATIONS[i] ?? 0) + neighbour) >>> 0;
    lanes[i] = neighbour;
  }
}

function avalanche(lane: number): number {
  let word = lane;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return (word ^ (word >>> 15)) >>> 0;
}

/** The content hash of words in a domain, the last block filled with zeros. */
function hashed(domain: number, words: readonly number[]): bigint {
  const lanes = [...INITIAL];
  let blocks = 0;
  for (let at = 0; at < words.length; at += 4, blocks++) absorb(lanes, words.slice(at, at + 4));
  absorb(lanes, [blocks, domain]);
  absorb(lanes, []);
  absorb(lanes, []);
  return lanes.reduceRight((sum, lane) => (sum << 32n) | BigInt(avalanche(lane)), 0n);
}

function words64(value: bigint | null): number[] {
  const some = value ?? 0n;
  return [Number(some & 0xffff_ffffn), Number(some >> 32n)];
}

function words128(value: bigint): number[] {
  return [...words64(value & U64_MASK), ...words64(value >> 64n)];
}

/** A reservation id in the words of a record: its lsn, the shard being the same for all. */
function lsnWords(reservationId: bigint | null): number[] {
  return words64(reservationId === null ? 0n : reservationId & U64_MASK);
}

function resourceWords({resourceId, state, version, currentReservationId}: Resource): number[] {
  const stateNumber = RESOURCE_STATES.indexOf(state) + 1;
  return [...words128(resourceId), stateNumber, ...words64(version), ...lsnWords(currentReservationId)];
}

function reservationWords(reservation: Reservation): number[] {
  return [
    ...lsnWords(reservation.reservationId),
    ...words128(reservation.holderId),
    RESERVATION_STATES.indexOf(reservation.state) + 1,
    reservation.members.length,
    ...words64(reservation.leaseEpoch),
    ...words64(reservation.deadlineSlot),
    ...words64(reservation.releasedLsn),
    ...words64(reservation.retireAfterSlot),
    ...reservation.members.flatMap(words128),
  ];
}

/** The fingerprint of a command: the hash, in the domain of its tag, of its body's fields as words in wire order. */
export function fingerprintOf(commandHex: string): bigint {
  const bytes = Buffer.from(commandHex, 'hex');
  const [tag = 0, body] = [bytes[0], bytes.subarray(1)];
  const words: number[] = [];
  for (let at = 0; at < body.length; ) {
    const isCount = tag === BUNDLE_TAG && at === COUNT_OFFSET;
    words.push(isCount ? body.readUInt16LE(at) : body.readUInt32LE(at));
    // A bundle's count fills a word, and a zero behind it the block, so that every member is a block of its own.
    if (isCount) words.push(0);
    at += isCount ? 2 : 4;
  }
  return hashed(tag, words);
}

function operationWords(operation: Operation): number[] {
  return [
    ...words128(operation.operationId),
    ...words128(fingerprintOf(operation.fingerprint)),
    ...words64(operation.appliedLsn),
    ...words64(operation.deadlineSlot),
    ...words64(operation.retireAfterSlot),
    resultCode(operation.result) | (operation.reservationId === null ? 0 : GRANTED),
  ];
}

const operationHashes = new WeakMap<Operation, bigint>();

function operationHash(operation: Operation): bigint {
  const known = operationHashes.get(operation);
  if (known !== undefined) return known;
  const hash = hashed(OPERATIONS, operationWords(operation));
  operationHashes.set(operation, hash);
  return hash;
}

/** The digest of the model's state, u128. */
export function digestOfModel(state: State): bigint {
  const position = [
    ...words64(state.lastAppliedLsn),
    ...words64(state.lastRequestSlot),
    ...lsnWords(state.maxRetiredReservationId),
  ];
  let sum = hashed(POSITION, position);
  for (const resource of state.resources.values()) sum += hashed(RESOURCES, resourceWords(resource));
  for (const reservation of state.reservations.values()) sum += hashed(RESERVATIONS, reservationWords(reservation));
  for (const operation of state.operations.values()) sum += operationHash(operation);
  return sum & U128_MASK;
}
