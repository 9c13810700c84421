/**
 * One resource: how it stands, who holds it since when and until when, what has happened to it, and what an operator may do
 * about it. While it is open it follows what becomes of the resource; the log is read again only when something has.
 */
import {byId, facts, make} from './dom.ts';
import {span} from './format.ts';
import {
  type Access,
  type History,
  type HistoryEvent,
  Problem,
  type Reservation,
  type Resource,
  type ServerApi,
} from './server_api.ts';
import {offer} from './two_steps.ts';

const panel = byId('detail', HTMLElement);

export class Detail {
  readonly #api: ServerApi;
  readonly #clock: () => {slot: bigint; slotMs: number};
  readonly #access: () => Access | null;
  readonly #told: (done: Promise<void>) => void;
  #shown = '';
  /** What actions and history were made from; they stay as they are until it is another. */
  #basis = '';
  /** Counts what was asked for: an answer that comes behind that to a later question is not shown. */
  #asked = 0;
  #history: {readonly told: History; readonly atMs: number} | null = null;
  #returnTo: HTMLElement | null = null;

  /** `told` says what keeps something from being done. */
  constructor(
    api: ServerApi,
    clock: () => {slot: bigint; slotMs: number},
    access: () => Access | null,
    told: (done: Promise<void>) => void,
  ) {
    this.#api = api;
    this.#clock = clock;
    this.#access = access;
    this.#told = told;
    byId('detail-close', HTMLButtonElement).addEventListener('click', () => this.close());
    panel.addEventListener('keydown', event => {
      if (event.key === 'Escape') this.close();
    });
  }

  /** Shows a resource by id. Rejects with Problem where the server does not tell. */
  async show(id: string): Promise<void> {
    const asked = ++this.#asked;
    const [resource, owner] = await this.#read(id);
    if (asked === this.#asked) this.#render(resource, owner);
  }

  /** Shows again what is shown, as it is now. Rejects with Problem. */
  async follow(): Promise<void> {
    const [id, asked] = [this.#shown, this.#asked];
    if (panel.hidden) return;
    const [resource, owner] = await this.#read(id);
    if (asked === this.#asked && id === this.#shown) this.#render(resource, owner);
  }

  async #read(id: string): Promise<[Resource, Reservation | null]> {
    const resource = await this.#api.resource(id);
    return [resource, resource.reservation === null ? null : await this.#ownerOf(resource.reservation)];
  }

  #render(resource: Resource, owner: Reservation | null): void {
    if (panel.hidden) this.#returnTo = document.activeElement as HTMLElement | null;
    const isOther = this.#shown !== resource.id;
    this.#shown = resource.id;
    panel.hidden = false;
    byId('detail-title', HTMLElement).textContent = `Resource ${resource.id}`;
    byId('facts', HTMLElement).replaceChildren(...facts(this.#facts(resource, owner)));
    if (isOther) panel.focus();
    const basis = [resource.id, resource.version, resource.state, owner?.id, owner?.epoch, this.#access()?.role].join();
    if (basis === this.#basis) {
      this.#showLines();
      return;
    }
    this.#basis = basis;
    this.#history = null;
    this.#offerActions(owner);
    void this.#showHistory(resource.id);
  }

  close(): void {
    panel.hidden = true;
    this.#asked++;
    this.#shown = '';
    this.#basis = '';
    this.#returnTo?.focus();
  }

  async #ownerOf(id: string): Promise<Reservation | null> {
    try {
      return await this.#api.reservation(id);
    } catch (error) {
      // It may have ended since the resource was read.
      if (error instanceof Problem && (error.status === 404 || error.status === 410)) return null;
      throw error;
    }
  }

  #facts(resource: Resource, owner: Reservation | null): [string, Node | string][] {
    const rows: [string, Node | string][] = [
      ['state', resource.state],
      ['version', resource.version],
    ];
    if (owner === null) return rows;
    const {slot, slotMs} = this.#clock();
    const leftMs = Number(BigInt(owner.deadline_slot) - slot) * slotMs;
    rows.push(['reservation', make('code', {}, owner.id)], ['holder', make('code', {}, owner.holder)]);
    rows.push(['since', `lsn ${owner.created_lsn}`], ['epoch', owner.epoch]);
    if (owner.state === 'reserved') rows.push(['ends', leftMs > 0 ? `in ${span(leftMs)}` : 'now']);
    if (owner.resources.length > 1) rows.push(['with', `${owner.resources.length - 1} other resources`]);
    return rows;
  }

  #offerActions(owner: Reservation | null): void {
    const place = byId('actions', HTMLElement);
    // What was asked here was about something that is no more.
    if (place.contains(document.activeElement)) panel.focus();
    place.replaceChildren();
    if (owner === null || owner.state === 'reserved') return;
    if (this.#access()?.role !== 'operate') {
      place.append(make('p', {class: 'hint'}, 'To revoke or reclaim takes a token with the role operate.'));
      return;
    }
    const things = owner.resources.length === 1 ? 'this resource' : `these ${owner.resources.length} resources`;
    const again = (): void => {
      this.#basis = '';
      this.#told(this.follow());
    };
    if (owner.state === 'confirmed') {
      const free = owner.resources.length === 1 ? 'it is' : 'they are';
      const consequence = `The holder of ${things} is refused from now on; ${free} free after a reclaim.`;
      offer(place, {name: 'Revoke', consequence, run: key => this.#api.change(owner.id, 'revoke', key)}, again);
    } else if (owner.state === 'revoking') {
      const consequence = `Somebody else can have ${things} at once.`;
      offer(place, {name: 'Reclaim', consequence, run: key => this.#api.change(owner.id, 'reclaim', key)}, again);
    }
  }

  async #showHistory(id: string): Promise<void> {
    const list = byId('history', HTMLElement);
    if (list.childElementCount === 0 || list.dataset['of'] !== id)
      list.replaceChildren(make('li', {}, 'reading the log…'));
    list.dataset['of'] = id;
    const basis = this.#basis;
    const isOld = (): boolean => this.#shown !== id || this.#basis !== basis;
    try {
      const told = await this.#api.history(id);
      if (isOld()) return;
      this.#history = {told, atMs: performance.now()};
      this.#showLines();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (isOld()) return;
      // Asked for again with the next look at the resource.
      this.#basis = '';
      list.replaceChildren(make('li', {}, `not known: ${error.message}`));
    }
  }

  /** With ages as they are now. */
  #showLines(): void {
    if (this.#history === null) return;
    const {told, atMs} = this.#history;
    const sinceMs = performance.now() - atMs;
    const lines = told.events.toReversed().map(event => lineOf(event, sinceMs));
    byId('history', HTMLElement).replaceChildren(...lines, ...endOf(told));
  }
}

/** `sinceMs` have passed since its age was told. */
function lineOf(event: HistoryEvent, sinceMs: number): HTMLLIElement {
  const age = event.age_ms === null ? '' : `, ${span(event.age_ms + sinceMs)} ago`;
  const holder = event.holder_id === null ? [] : [' by ', make('code', {}, event.holder_id)];
  const refused = event.result === 'ok' || event.result === null ? '' : ` refused: ${event.reason.text}`;
  return make('li', {}, `lsn ${event.lsn}${age}: ${event.kind.replaceAll('_', ' ')}`, ...holder, refused);
}

function endOf({log, events_dropped: dropped}: History): HTMLLIElement[] {
  const notes = dropped > 0 ? [`${dropped} more before these`] : [];
  if (log.first_lsn !== '1') notes.push(`the log begins at lsn ${log.first_lsn}: what was before is not known`);
  return notes.map(note => make('li', {}, note));
}
