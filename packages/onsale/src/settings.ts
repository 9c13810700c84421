/**
 * The sizes of a sale and how its people behave, all in one place. Holds are short, so that many end within the run; the
 * database's tables are sized so that no answer is ever a refusal for lack of room, which lets the auditor be strict.
 */
import {Random} from './random.ts';

export interface SaleSettings {
  readonly seed: number;
  readonly buyers: number;
  readonly slotMs: number;
  /** Slots for which an ordinary buyer's seats are held. */
  readonly holdSlots: number;
  /** Slots for which seats are held that will be paid by invoice: beyond the end of the demo. */
  readonly invoiceSlots: number;
  /** Requests that a client process has on its way at most. */
  readonly window: number;
  /** When crowds arrive together, in ms after the doors open; the first is the opening itself. */
  readonly rushesMs: readonly number[];
  /** Ordinary arrivals end here; later, times without a server not counted, nobody waits for seats any more. */
  readonly lastArrivalMs: number;
  readonly closesMs: number;
}

const SLOT_MS = 50;
const HOLD_MS = 3000;
const INVOICE_MS = 120_000;
const FULL_SALE_BUYERS = 40_000;
const SHORTEST_SALE = 0.15;
const SHORTEST_HOLD = 0.4;

/** How long a sale of so many buyers takes, as a share of a full one. */
export function paceOf(buyers: number): number {
  return Math.min(1, Math.max(SHORTEST_SALE, buyers / FULL_SALE_BUYERS));
}

/** The sale of this seed. */
export function saleSettings(seed: number, buyers: number, window: number): SaleSettings {
  const random = new Random(seed, 'rushes');
  const pace = paceOf(buyers);
  const rushesMs = [0, random.between(2600, 3200), random.between(5200, 6000), random.between(7800, 8800)];
  return {
    seed,
    buyers,
    slotMs: SLOT_MS,
    holdSlots: Math.round((HOLD_MS * Math.max(SHORTEST_HOLD, pace)) / SLOT_MS),
    invoiceSlots: INVOICE_MS / SLOT_MS,
    window,
    rushesMs: rushesMs.map(ms => Math.round(pace * ms)),
    lastArrivalMs: Math.round(pace * 10_500),
    closesMs: Math.round(pace * 14_500),
  };
}

/** Largest party; the database's bound for a bundle. */
export const PARTY_MAX = 4;
/** Holds that one tick of the server ends: few, so that many that fall due together take several ticks. */
export const EXPIRATIONS_PER_TICK = 24;
const OPERATIONS_PER_BUYER = 16;

/** The configuration of the database, in the form that the server reads. */
export function serverConfig(settings: SaleSettings, seats: number): object {
  const reservations = 2 * seats + settings.buyers;
  return {
    core: {
      shard_id: '0',
      max_resources: seats,
      max_reservations: reservations,
      max_bundle_size: Math.min(PARTY_MAX, seats),
      max_operations: seats + OPERATIONS_PER_BUYER * settings.buyers,
      max_ttl_slots: String(settings.invoiceSlots),
      max_client_retry_window_slots: String(settings.invoiceSlots),
      reservation_history_window_slots: String(settings.holdSlots),
      max_expiration_bucket_len: reservations,
      operation_window_slots: String(settings.invoiceSlots),
    },
    engine: {
      max_submission_queue: 1 << 16,
      max_command_bytes: 1024,
      max_expirations_per_tick: EXPIRATIONS_PER_TICK,
    },
  };
}

const part = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');

/** Who holds a buyer's seats. */
export function buyerHolder(seed: number, buyer: number): string {
  return part(seed) + part(0xb0e5) + part(0) + part(buyer + 1);
}

/** The id that a client process puts into its commands. */
export function clientIdOf(seed: number, client: number): string {
  return part(seed) + part(0xc11e) + part(0) + part(client + 1);
}

/** The id of somebody's operation: the same for the same seed, and never that of another one. */
export function operationOf(seed: number, actor: number, count: number): string {
  return part(seed) + part(0x0be7) + part(actor + 1) + part(count);
}

/** The actor number of the box office, which no buyer has. */
export const BOX_OFFICE = 0xffff_fff0;
