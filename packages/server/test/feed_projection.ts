/**
 * The documented way to keep a copy of all resources elsewhere: the pages of a scan, each as of its own lsn, then every
 * change behind the first page. Of a row that was read later than the change, the change is in it already.
 */
import type {Change, Database, ReservationId, ResourceId} from '@allocdb/api';

interface Row {
  state: string;
  reservation: ReservationId | null;
  /** The lsn as of which this is so. */
  lsn: bigint;
}

export class Projection {
  readonly #rows: Map<ResourceId, Row> = new Map();
  /** The lsn of the first change that may be missing. */
  next: bigint = 1n;
  /** The highest lsn as of which a row is known. */
  latest: bigint = 0n;

  /** Reads all pages, a few rows at a time, so that there are many and things happen between them. */
  static async scan(db: Database, limit: number): Promise<Projection> {
    const projection = new Projection();
    let position: bigint | null = 0n;
    while (position !== null) {
      const page: Awaited<ReturnType<Database['scanResources']>> = await db.scanResources({position, limit});
      if (page.result !== 'page') throw new Error('there is no fence');
      const lsn = page.lsn ?? 0n;
      if (position === 0n) projection.next = lsn + 1n;
      projection.latest = lsn;
      for (const {id, state, reservation} of page.resources) projection.#rows.set(id, {state, reservation, lsn});
      position = page.next;
    }
    return projection;
  }

  /** Every row as a line, in an order that does not depend on how they came here. */
  state(): string[] {
    return [...this.#rows].map(([id, {state, reservation}]) => `${id} ${state} ${reservation}`).sort();
  }

  apply(change: Change): void {
    if (change.lsn !== this.next) throw new Error(`lsn ${change.lsn} came for ${this.next}`);
    this.next++;
    if (change.result !== 'ok') return;
    switch (change.kind) {
      case 'create_resource':
        if (!this.#rows.has(change.resource)) this.#set(change, [change.resource], 'available', null);
        break;
      case 'reserve':
      case 'reserve_bundle':
        this.#set(change, change.resources, 'reserved', change.lease?.id ?? null);
        break;
      case 'confirm':
        this.#set(change, this.#of(change.reservation), 'confirmed', change.reservation);
        break;
      case 'revoke':
        this.#set(change, this.#of(change.reservation), 'revoking', change.reservation);
        break;
      default:
        this.#set(change, this.#of(change.reservation), 'available', null);
    }
  }

  #of(reservation: ReservationId): ResourceId[] {
    return [...this.#rows].filter(([, row]) => row.reservation === reservation).map(([id]) => id);
  }

  #set({lsn}: Change, ids: readonly ResourceId[], state: string, reservation: ReservationId | null): void {
    for (const id of ids) {
      const row = this.#rows.get(id);
      if (row === undefined || row.lsn < lsn) this.#rows.set(id, {state, reservation, lsn});
    }
  }
}
