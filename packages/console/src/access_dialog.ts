/**
 * The token of this tab: asked for when the server wants one, or by the button. It is kept in the session of the tab alone.
 */
import {byId} from './dom.ts';
import type {ServerApi} from './server_api.ts';

/** Asks for a token; `onChange` runs when another one is used. */
export class AccessDialog {
  readonly #dialog: HTMLDialogElement = byId('token-dialog', HTMLDialogElement);
  readonly #input: HTMLInputElement = byId('token', HTMLInputElement);

  constructor(api: ServerApi, onChange: () => void) {
    byId('access', HTMLButtonElement).addEventListener('click', () => this.ask(''));
    this.#dialog.addEventListener('close', () => {
      if (this.#dialog.returnValue === 'ok') {
        api.setToken(this.#input.value.trim());
        onChange();
      }
      this.#input.value = '';
    });
    // Enter in the field means the token is to be used, not the first button of the form.
    this.#input.addEventListener('keydown', event => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      byId('token-ok', HTMLButtonElement).click();
    });
  }

  /** Opens it, with the reason; does nothing while it is open. */
  ask(why: string): void {
    if (this.#dialog.open) return;
    byId('token-why', HTMLElement).textContent = why;
    this.#dialog.showModal();
    this.#input.focus();
  }
}
