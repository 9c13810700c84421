/**
 * How full the tables are, and the holds that have been there for longest. The holds are found by walking all reservations
 * page by page, so that is done on request and now and then, not with every scrape.
 */
import {facts, make} from './dom.ts';
import {count, shortId, span} from './format.ts';
import {type Scrape, total} from './prometheus_text.ts';
import type {Reservation, ServerApi} from './server_api.ts';

const TABLES = ['resources', 'reservations', 'members', 'operations'];
/** Parts of a table from which on it is to be looked at, and from which on it is as good as full. */
const HIGH = 0.8;
const FULL = 0.95;
const HOLDS_SHOWN = 12;
/** Pages that one walk reads at most: it must not become a load of its own. */
const PAGES_MAX = 400;

/** Shows the fill of each table. */
export function showFill(list: HTMLElement, scrape: Scrape): void {
  const rows = TABLES.filter(table => total(scrape, 'allocdb_table_capacity', {table}) > 0).map(table => {
    const [used, capacity] = ['allocdb_table_used', 'allocdb_table_capacity'].map(name => total(scrape, name, {table}));
    const share = (used ?? 0) / (capacity ?? 1);
    const value = String(share);
    const bounds = {min: '0', low: String(HIGH), high: String(FULL), max: '1', optimum: '0'};
    const meter = make('meter', {...bounds, value, 'aria-label': `${table} used`});
    const text = make('span', {}, `${count(used ?? 0)} of ${count(capacity ?? 0)}`);
    const level = share >= 1 ? 'full' : share >= HIGH ? `${Math.floor(share * 100)} %` : '';
    return [table, make('span', {}, meter, text, make('strong', {}, level === '' ? '' : ` ${level}`))] as const;
  });
  list.replaceChildren(...facts(rows));
}

/** The slot of the server and how long one lasts, from a scrape. */
export function clockOf(scrape: Scrape): {slot: bigint; slotMs: number} {
  return {
    slot: BigInt(Math.round(total(scrape, 'allocdb_slot'))),
    slotMs: total(scrape, 'allocdb_slot_length_seconds') * 1000,
  };
}

/** Walks the reservations that hold something and shows the oldest. */
export class OldestHolds {
  readonly #api: ServerApi;
  readonly #body: HTMLElement;
  readonly #note: HTMLElement;
  readonly #open: (resource: string) => void;
  #isWalking = false;
  /** Whether the last walk ended before all were seen. */
  #isCut = false;

  constructor(api: ServerApi, body: HTMLElement, note: HTMLElement, open: (resource: string) => void) {
    this.#api = api;
    this.#body = body;
    this.#note = note;
    this.#open = open;
  }

  /** Reads them anew, unless that is under way. Rejects with Problem. */
  async refresh(clock: {slot: bigint; slotMs: number}): Promise<void> {
    if (this.#isWalking) return;
    this.#isWalking = true;
    try {
      const holds: Reservation[] = [];
      this.#isCut = false;
      for (const state of ['reserved', 'confirmed', 'revoking']) holds.push(...(await this.#oldest(state)));
      holds.sort((a, b) => (BigInt(a.created_lsn) < BigInt(b.created_lsn) ? -1 : 1));
      this.#body.replaceChildren(...holds.slice(0, HOLDS_SHOWN).map(hold => this.#row(hold, clock)));
      const cut = this.#isCut ? 'There are too many to look at all of them: these are the oldest of a part.' : '';
      this.#note.textContent = holds.length === 0 ? 'Nothing is held.' : cut;
    } finally {
      this.#isWalking = false;
    }
  }

  async #oldest(state: string): Promise<Reservation[]> {
    let oldest: Reservation[] = [];
    let position: string | null = '0';
    for (let pages = 0; position !== null && pages < PAGES_MAX; pages++) {
      const page = await this.#api.reservations(state, position);
      oldest = [...oldest, ...page.reservations]
        .sort((a, b) => (BigInt(a.created_lsn) < BigInt(b.created_lsn) ? -1 : 1))
        .slice(0, HOLDS_SHOWN);
      position = page.next;
    }
    this.#isCut ||= position !== null;
    return oldest;
  }

  #row(hold: Reservation, {slot, slotMs}: {slot: bigint; slotMs: number}): HTMLTableRowElement {
    const leftMs = Number(BigInt(hold.deadline_slot) - slot) * slotMs;
    const ends = hold.state === 'reserved' ? (leftMs > 0 ? `in ${span(leftMs)}` : 'now') : 'when given back';
    const first = hold.resources[0] ?? '';
    const open = make('button', {type: 'button', title: hold.id, click: () => this.#open(first)}, shortId(hold.id));
    return make(
      'tr',
      {},
      make('td', {}, open),
      make('td', {}, hold.state),
      make('td', {}, String(hold.resources.length)),
      make('td', {}, ends),
    );
  }
}
