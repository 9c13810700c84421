// Scans: requests for many things at once, drawn at random, and a stream's reads and bad frames in whose place they come.
//
// A stream draws them from random numbers of their own: the rest of it stays what it is without scans. Of reservations
// only what the model can answer is asked: all pages of a walk at once, or what is past every row.
import {malformFrame} from './generator_malformed.ts';
import {U64_MAX} from './model/bytes.ts';
import {RESERVATION_STATES, RESOURCE_STATES} from './model/codes.ts';
import {type ApiRequest, encodeApiRequest} from './model/request.ts';
import type {State} from './model/state.ts';
import type {Random} from './random.ts';

/** So many of a hundred reads, and of a hundred bad frames, are scans. */
const SCAN_PERCENT = 30;
/** Where a scan has the state that it asks for. */
const STATE_FROM_END = 11;

type Fence = bigint | null;
type Read = Extract<ApiRequest, {kind: 'get_resource' | 'get_reservation' | 'get_lease'}>;

/** A page of resources; `rows` are there to be shown. */
export function drawResourceScan(random: Random, requiredLsn: Fence, rows: number): ApiRequest {
  const state = random.chance(50) ? null : random.pickFrom(RESOURCE_STATES);
  const position = random.chance(50) ? 0n : random.pick([BigInt(random.below(rows + 2)), 1n << 32n, U64_MAX]);
  return {kind: 'scan_resources', requiredLsn, state, position, limit: random.pick([0, 0, 1, 3, 0xffff])};
}

/** All reservations, or none because it begins past every row. */
export function drawReservationScan(
  random: Random,
  requiredLsn: Fence,
  currentSlot: bigint,
  holderIds: readonly bigint[],
): ApiRequest {
  const holderId = random.chance(60) ? null : random.pickFrom(holderIds);
  const state = random.chance(50) ? null : random.pickFrom(RESERVATION_STATES);
  const position = random.chance(90) ? 0n : U64_MAX;
  return {kind: 'scan_reservations', requiredLsn, currentSlot, holderId, state, position, limit: 0};
}

/** The scans of one stream. */
export class StreamScans {
  readonly #random: Random;
  readonly #holderIds: readonly bigint[];

  constructor(random: Random, holderIds: readonly bigint[]) {
    this.#random = random;
    this.#holderIds = holderIds;
  }

  /** The frame of this read, or of a scan with the same fence and slot. */
  instead(read: Read, state: State): Uint8Array {
    const random = this.#random;
    if (!random.chance(SCAN_PERCENT)) return encodeApiRequest(read);
    if (read.kind === 'get_resource') {
      return encodeApiRequest(drawResourceScan(random, read.requiredLsn, state.resources.size));
    }
    return encodeApiRequest(drawReservationScan(random, read.requiredLsn, read.currentSlot, this.#holderIds));
  }

  /**
   * This bad frame, or a scan that is spoilt; of reservations only with a state that there is none of, so that no page in
   * the middle comes out well-formed.
   */
  insteadOfBad(frame: Uint8Array, currentSlot: bigint): Uint8Array {
    const random = this.#random;
    if (!random.chance(SCAN_PERCENT)) return frame;
    const fence = random.chance(50) ? null : 1n;
    const resources = encodeApiRequest(drawResourceScan(random, fence, 2));
    const reservations = encodeApiRequest(drawReservationScan(random, fence, currentSlot, this.#holderIds));
    const spoilt = reservations.with(reservations.length - STATE_FROM_END, random.between(7, 255));
    return random.chance(30) ? spoilt : malformFrame(random, [resources, spoilt]);
  }
}
