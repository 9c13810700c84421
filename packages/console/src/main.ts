/**
 * The console: once a second the states of all resources and the metrics are read and shown; everything else is asked for
 * when somebody looks at it. Nothing is read while the page is hidden, and a server that does not answer is asked less often.
 * What is no longer current says so, and from when it is. What goes wrong with something that somebody asked for is told
 * beside it, until they ask for something else.
 */
import {AccessDialog} from './access_dialog.ts';
import {Detail} from './detail.ts';
import {byId, make} from './dom.ts';
import {count} from './format.ts';
import {MapView, STATES} from './map_view.ts';
import {parseScrape, type Scrape} from './prometheus_text.ts';
import {type Access, Problem, ServerApi} from './server_api.ts';
import {clockOf, OldestHolds, showFill} from './tables.ts';
import {initTheme} from './theme.ts';
import {Throughput} from './throughput.ts';

const EVERY_MS = 1000;
const RETRY_MS = 3000;
const HOLDS_EVERY_MS = 15_000;
/** Older than this is not current. */
const STALE_MS = 4000;
const TIME = new Intl.DateTimeFormat('en', {timeStyle: 'medium', hourCycle: 'h23'});

const api = new ServerApi();
const status = byId('status', HTMLElement);
const alarm = byId('alarm', HTMLElement);
const notice = byId('notice', HTMLElement);
let access: Access | null = null;
let states: Uint8Array = new Uint8Array(0);
let scrape: Scrape = new Map();
let holdsAtMs = Number.NEGATIVE_INFINITY;
/** When what is shown was read; 0 before anything was. */
let readAtMs = 0;

const dialog = new AccessDialog(api, () => {
  access = null;
  void refresh();
});
const detail = new Detail(
  api,
  () => clockOf(scrape),
  () => access,
  done => told(done),
);
const holds = new OldestHolds(api, byId('holds', HTMLElement), byId('holds-note', HTMLElement), id => open(() => id));
const throughput = new Throughput(
  byId('rate', HTMLElement),
  byId('rate-now', HTMLElement),
  byId('latency', HTMLElement),
  byId('latency-now', HTMLElement),
);
const map = new MapView(byId('map', HTMLCanvasElement), {
  onCursor: position => {
    byId('cell', HTMLElement).textContent =
      `${count(position + 1)} of ${count(states.length)}: ${STATES[states[position] ?? 0]}`;
  },
  onOpen: position => open(async () => (await api.resourceAt(position))?.id),
});

initTheme(byId('theme', HTMLButtonElement), () => {
  map.restyle();
  throughput.restyle();
});
byId('zoom-in', HTMLButtonElement).addEventListener('click', () => map.zoomBy(1));
byId('zoom-out', HTMLButtonElement).addEventListener('click', () => map.zoomBy(-1));
byId('zoom-fit', HTMLButtonElement).addEventListener('click', () => map.fit());
byId('holds-refresh', HTMLButtonElement).addEventListener('click', () => told(holds.refresh(clockOf(scrape))));
byId('find', HTMLFormElement).addEventListener('submit', event => {
  event.preventDefault();
  const id = byId('find-id', HTMLInputElement).value.trim();
  if (id !== '') open(() => id);
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void refresh();
});

let opens = 0;

/** Shows the resource that is found, or says why not; what was asked for last. */
function open(find: () => string | undefined | Promise<string | undefined>): void {
  const shown = async (): Promise<void> => {
    const asked = ++opens;
    const id = await find();
    if (id !== undefined && asked === opens) await detail.show(id);
  };
  told(shown());
}

/** Says what kept something from being done that somebody asked for. */
function told(done: Promise<void>): void {
  say(notice, '');
  done.catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error;
    say(notice, error.message);
    askForToken(error);
  });
}

/** Shows a sentence, or nothing; one that stands there already is not said again. */
function say(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
  place.hidden = text === '';
}

function askForToken({status: code}: Problem): void {
  if (code === 401)
    dialog.ask(api.hasToken ? 'The server does not accept this token.' : 'The server asks for a token.');
}

/** What is shown is not how things are now. */
function showStale(why: string): void {
  status.dataset['bad'] = '';
  status.textContent = readAtMs === 0 ? 'nothing read yet' : `not current: from ${TIME.format(readAtMs)}`;
  document.body.toggleAttribute('data-stale', readAtMs !== 0);
  document.title = 'AllocDB: not current';
  throughput.gap(Date.now());
  say(alarm, why);
}

function showCurrent(lsn: string, {name, role}: Access, unready: readonly string[]): void {
  readAtMs = Date.now();
  status.toggleAttribute('data-bad', unready.length > 0);
  status.textContent = `lsn ${lsn}, as ${name} (${role})`;
  document.body.removeAttribute('data-stale');
  document.title = unready.length > 0 ? 'AllocDB: not ready' : 'AllocDB';
  say(alarm, unready.length > 0 ? `The server is not ready. ${unready.join(' · ')}` : '');
}

async function read(): Promise<void> {
  const who = access ?? (await api.access());
  access = who;
  const [seen, text, unready] = await Promise.all([api.states(), api.metrics(), api.reasonsUnready()]);
  ({states} = seen);
  scrape = parseScrape(text);
  map.show(states);
  showLegend();
  showFill(byId('fill', HTMLElement), scrape);
  throughput.take(scrape, Date.now());
  showCurrent(seen.lsn, who, unready);
  byId('map-empty', HTMLElement).hidden = states.length > 0;
  await detail.follow();
  if (performance.now() - holdsAtMs < HOLDS_EVERY_MS) return;
  holdsAtMs = performance.now();
  await holds.refresh(clockOf(scrape));
}

function showLegend(): void {
  const counts = new Array<number>(STATES.length).fill(0);
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  const items = STATES.slice(1).map((name, i) => make('li', {class: name}, `${name} ${count(counts[i + 1] ?? 0)}`));
  byId('legend', HTMLElement).replaceChildren(...items);
}

let timer = 0;
let isReading = false;

async function refresh(): Promise<void> {
  clearTimeout(timer);
  if (isReading || document.hidden) return;
  isReading = true;
  let pauseMs = EVERY_MS;
  try {
    await read();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    pauseMs = RETRY_MS;
    showStale(error.message);
    askForToken(error);
  } finally {
    isReading = false;
    timer = window.setTimeout(() => void refresh(), pauseMs);
  }
}

void refresh();
// A request under way says nothing for as long as it may take.
setInterval(() => {
  const isLate = isReading && readAtMs !== 0 && Date.now() - readAtMs > STALE_MS;
  if (isLate && !document.hidden) showStale('The server has not answered yet.');
}, EVERY_MS);
