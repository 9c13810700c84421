// How the programs of this directory speak to the test that runs them: a line of JSON on stdout for each step that went as
// it should, and a line on stdin when the test has done what a step waits for. A step that does not go well throws, which
// ends the process with what was wrong on stderr.
import {createInterface} from 'node:readline';

/** Opened with the first question: whoever asks none is not kept from ending. */
let lines = null;

/** Tells a step, with what the test may want to know of it. */
export function say(step, more = {}) {
  process.stdout.write(`${JSON.stringify({step, ...more})}\n`);
}

/** Tells a step and waits until the test has done its part. */
export async function ask(step) {
  say(step);
  lines ??= createInterface({input: process.stdin})[Symbol.asyncIterator]();
  const {done} = await lines.next();
  if (done) throw new Error(`${step}: the test has gone`);
}

/** No more is asked: nothing of this keeps the process from ending. */
export function hangUp() {
  process.stdin.destroy();
}

/** What a promise rejects with. */
export async function errorOf(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`it did not fail: ${String(value)}`);
}

/** How the end of a scope is written here: in the language where it knows it, otherwise by hand. */
export async function scopes() {
  try {
    return {syntax: 'native', ...(await import('./scope_native.mjs'))};
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {syntax: 'by hand', ...(await import('./scope_by_hand.mjs'))};
  }
}
