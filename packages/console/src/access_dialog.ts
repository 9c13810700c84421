/**
 * The token of this tab: asked for when the server wants one, or by the button. It is kept in the session of the tab alone.
 */
import {byId} from './dom.ts';
import type {ServerApi} from './server_api.ts';

/** Asks for a token; `onChange` runs when another one is used. */
export class AccessDialog {
  readonly #dialog: HTMLDialogElement = byId('token-dialog', HTMLDialogElement);
  readonly #input: HTMLInputElement = byId('token', HTMLInputElement);

  /** Whoever has said that they have none is not asked again and again. */
  #isDeclined = false;

  constructor(api: ServerApi, onChange: () => void) {
    byId('access', HTMLButtonElement).addEventListener('click', () => this.#open(''));
    this.#dialog.addEventListener('close', () => {
      this.#isDeclined = this.#dialog.returnValue !== 'ok';
      if (!this.#isDeclined) {
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

  /** Opens it, with the reason; does nothing while it is open, nor once it was left without a token. */
  ask(why: string): void {
    if (!this.#dialog.open && !this.#isDeclined) this.#open(why);
  }

  #open(why: string): void {
    byId('token-why', HTMLElement).textContent = why;
    // Escape leaves what was returned last.
    this.#dialog.returnValue = '';
    this.#dialog.showModal();
    this.#input.focus();
  }
}
