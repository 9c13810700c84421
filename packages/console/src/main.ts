/**
 * The console: once a second the states of all resources and the metrics are read and shown; everything else is asked for
 * when somebody looks at it. Nothing is read while the page is hidden, and a server that does not answer is asked less often.
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

const api = new ServerApi();
const status = byId('status', HTMLElement);
let access: Access | null = null;
let states: Uint8Array = new Uint8Array(0);
let scrape: Scrape = new Map();
let holdsAtMs = Number.NEGATIVE_INFINITY;

const dialog = new AccessDialog(api, () => {
  access = null;
  void refresh();
});
const detail = new Detail(
  api,
  () => clockOf(scrape),
  () => access,
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

/** Shows the resource that is found, or says why not. */
function open(find: () => string | undefined | Promise<string | undefined>): void {
  const shown = async (): Promise<void> => {
    const id = await find();
    if (id !== undefined) await detail.show(id);
  };
  told(shown());
}

/** Says in the status what kept something from being done. */
function told(done: Promise<void>): void {
  done.catch((error: unknown) => tell(error));
}

function tell(error: unknown): void {
  if (!(error instanceof Problem)) throw error;
  status.dataset['bad'] = '';
  status.textContent = error.message;
  if (error.status === 401)
    dialog.ask(api.hasToken ? 'The server does not accept this token.' : 'The server asks for a token.');
}

async function read(): Promise<void> {
  access ??= await api.access();
  const [seen, text] = await Promise.all([api.states(), api.metrics()]);
  ({states} = seen);
  scrape = parseScrape(text);
  map.show(states);
  showLegend();
  showFill(byId('fill', HTMLElement), scrape);
  throughput.take(scrape, Date.now());
  delete status.dataset['bad'];
  status.textContent = `lsn ${seen.lsn}, as ${access.name} (${access.role})`;
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
    pauseMs = RETRY_MS;
    tell(error);
  } finally {
    isReading = false;
    timer = window.setTimeout(() => void refresh(), pauseMs);
  }
}

void refresh();
