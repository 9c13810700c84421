/**
 * An action that takes something away from somebody: a button that asks, then one that does. Between them stands what will
 * happen; Escape or leaving calls it off. The key is made with the question, so that doing it twice does it once, also when
 * the first answer was lost.
 */
import {make} from './dom.ts';
import {Problem} from './server_api.ts';

/** What to do, in words and as a request. */
export interface Action {
  readonly name: string;
  /** What it means, as a sentence that ends the question. */
  readonly consequence: string;
  run(key: string): Promise<unknown>;
}

/** Puts the first button in `place`; `onDone` runs when the server has agreed. */
export function offer(place: HTMLElement, action: Action, onDone: () => void): void {
  const ask = make(
    'button',
    {type: 'button', class: 'danger', click: () => confirm(place, action, newKey(), onDone)},
    `${action.name}…`,
  );
  place.replaceChildren(ask);
}

/** An idempotency key. `crypto.randomUUID` is there for pages of HTTPS and of this machine only. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}

function confirm(place: HTMLElement, action: Action, key: string, onDone: () => void): void {
  const note = make('p', {role: 'alert'}, `${action.name}? ${action.consequence}`);
  const stop = make('button', {type: 'button', click: () => cancel()}, 'No, leave it');
  const go = make(
    'button',
    {type: 'button', class: 'danger', click: () => void run()},
    `Yes, ${action.name.toLowerCase()}`,
  );
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    cancel();
  };

  function cancel(): void {
    place.removeEventListener('keydown', onKey);
    offer(place, action, onDone);
    place.querySelector('button')?.focus();
  }

  async function run(): Promise<void> {
    go.disabled = true;
    try {
      await action.run(key);
      place.removeEventListener('keydown', onKey);
      onDone();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const doubt = error.isDefinite ? 'Nothing happened.' : 'It may have happened; trying again does it once.';
      note.textContent = `${error.message} ${doubt}`;
      go.disabled = false;
    }
  }

  place.addEventListener('keydown', onKey);
  place.replaceChildren(note, go, stop);
  stop.focus();
}
