/**
 * What clocks can prove. All processes read one monotonic clock, so an answer that arrived before something else was sent
 * happened before it, whoever sent what; the log must have them in that order, a look must not show less, and a hold that
 * the log ends must have lasted, by its holder's clock, as long as was promised.
 */
import type {Findings} from './findings.ts';
import type {History} from './history.ts';
import type {Seen, Told} from './ledger_audit.ts';

/**
 * A hold granted in a slot ends with a slot, so it may be short of its length by one; the server reads its clock once for
 * all that it finds to do, which may take as long as another.
 */
const TOLERATED_SLOTS = 2;

export class ClockAudit {
  readonly #receivedUs: Float64Array;
  /** By the same index: the highest lsn in an answer that had arrived by then. */
  readonly #highestLsn: Float64Array;
  readonly #history: History;
  readonly #findings: Findings;

  constructor(history: History, told: readonly Told[], findings: Findings) {
    this.#history = history;
    this.#findings = findings;
    const sorted = told.toSorted((a, b) => a.receivedUs - b.receivedUs);
    this.#receivedUs = Float64Array.from(sorted, ({receivedUs}) => receivedUs);
    this.#highestLsn = Float64Array.from(sorted, ({lsn}) => lsn);
    for (let i = 1; i < this.#highestLsn.length; i++) {
      this.#highestLsn[i] = Math.max(this.#highestLsn[i] ?? 0, this.#highestLsn[i - 1] ?? 0);
    }
  }

  /** The highest lsn that some client had been told before this time; 0 when there was none. */
  knownAt(us: number): number {
    let [low, high] = [0, this.#receivedUs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#receivedUs[middle] ?? 0) < us) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (this.#highestLsn[low - 1] ?? 0);
  }

  checkOrder(): void {
    for (const {operation, lsn, firstSentUs} of this.#history.operations.values()) {
      if (firstSentUs === Number.POSITIVE_INFINITY) continue;
      const known = this.knownAt(firstSentUs);
      this.#findings.check(
        'order_real',
        lsn > known,
        () => `operation ${operation} was sent when lsn ${known} had been told, and stands at lsn ${lsn}`,
      );
    }
  }

  checkHolds(told: readonly Told[], slotMs: number): void {
    // For each lsn, the first time at which somebody was told it or a later one: by then its record was executed.
    const latest = new Float64Array(this.#history.lastLsn + 2).fill(Number.POSITIVE_INFINITY);
    for (const {lsn, receivedUs} of told) {
      if (lsn < latest.length) latest[lsn] = Math.min(latest[lsn] ?? 0, receivedUs);
    }
    for (let lsn = latest.length - 2; lsn >= 0; lsn--) latest[lsn] = Math.min(latest[lsn] ?? 0, latest[lsn + 1] ?? 0);
    for (const {lsn, lease} of this.#history.expirations) {
      const granted = this.#history.operations.get(lease.operation);
      if (granted === undefined || granted.firstSentUs === Number.POSITIVE_INFINITY) continue;
      const endedUs = latest[lsn] ?? Number.POSITIVE_INFINITY;
      const leastUs = (lease.ttl - TOLERATED_SLOTS) * slotMs * 1000;
      this.#findings.check('hold_length', endedUs - granted.firstSentUs >= leastUs, () => {
        const lastedMs = Math.round((endedUs - granted.firstSentUs) / 1000);
        return `reservation ${lease.id} was promised ${lease.ttl} slots of ${slotMs} ms and lasted at most ${lastedMs} ms`;
      });
    }
  }

  checkLooks(seen: readonly Seen[]): void {
    for (const {place, look} of seen) {
      const why = this.#whyNeverSo(look);
      this.#findings.check('look_true', why === null, () => `${place}: ${why}`);
    }
  }

  #whyNeverSo(look: Seen['look']): string | null {
    const {seat, state, lease, version, sentUs} = look;
    const moments = this.#history.seats.get(seat);
    const moment = moments?.[version];
    if (moments === undefined || moment === undefined) return `seat ${seat} never had version ${version}`;
    if (moment.state !== state || moment.lease !== lease) {
      return `seat ${seat} at version ${version} was seen ${state}, the log makes it ${moment.state}`;
    }
    const next = moments[version + 1];
    const known = this.knownAt(sentUs);
    if (next === undefined || next.lsn > known) return null;
    return `seat ${seat} was seen at version ${version}, although lsn ${next.lsn} had made it ${next.state} and lsn ${known} was known`;
  }
}
