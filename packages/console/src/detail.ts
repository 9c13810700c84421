/**
 * One resource: how it stands, who holds it and until when, what has happened to it, and what an operator may do about it.
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
  #shown = '';
  #returnTo: HTMLElement | null = null;

  constructor(api: ServerApi, clock: () => {slot: bigint; slotMs: number}, access: () => Access | null) {
    this.#api = api;
    this.#clock = clock;
    this.#access = access;
    byId('detail-close', HTMLButtonElement).addEventListener('click', () => this.close());
    panel.addEventListener('keydown', event => {
      if (event.key === 'Escape') this.close();
    });
  }

  /** Shows a resource by id. Rejects with Problem where the server does not tell. */
  async show(id: string): Promise<void> {
    const resource = await this.#api.resource(id);
    const owner = resource.reservation === null ? null : await this.#ownerOf(resource.reservation);
    if (panel.hidden) this.#returnTo = document.activeElement as HTMLElement | null;
    const isOther = this.#shown !== resource.id;
    this.#shown = resource.id;
    panel.hidden = false;
    byId('detail-title', HTMLElement).textContent = `Resource ${resource.id}`;
    byId('facts', HTMLElement).replaceChildren(...facts(this.#facts(resource, owner)));
    this.#offerActions(owner);
    if (isOther) panel.focus();
    await this.#showHistory(resource.id);
  }

  close(): void {
    panel.hidden = true;
    this.#shown = '';
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
    place.replaceChildren();
    if (owner === null || this.#access()?.role !== 'operate') return;
    const things = owner.resources.length === 1 ? 'this resource' : `these ${owner.resources.length} resources`;
    const again = (): void => void this.show(this.#shown);
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
    list.replaceChildren(make('li', {}, 'reading the log…'));
    const history = await this.#api.history(id);
    if (this.#shown !== id) return;
    list.replaceChildren(...history.events.toReversed().map(lineOf), ...endOf(history));
  }
}

function lineOf(event: HistoryEvent): HTMLLIElement {
  const age = event.age_ms === null ? '' : `, ${span(event.age_ms)} ago`;
  const holder = event.holder_id === null ? [] : [' by ', make('code', {}, event.holder_id)];
  const refused = event.result === 'ok' || event.result === null ? '' : ` refused: ${event.reason.text}`;
  return make('li', {}, `lsn ${event.lsn}${age}: ${event.kind.replaceAll('_', ' ')}`, ...holder, refused);
}

function endOf({log, events_dropped: dropped}: History): HTMLLIElement[] {
  const notes = dropped > 0 ? [`${dropped} more before these`] : [];
  if (log.first_lsn !== '1') notes.push(`the log begins at lsn ${log.first_lsn}: what was before is not known`);
  return notes.map(note => make('li', {}, note));
}
