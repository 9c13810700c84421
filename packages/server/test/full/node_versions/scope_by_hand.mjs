// The end of a scope, written out, for versions of Node that have `Symbol.asyncDispose` and not the syntax: what a compiler
// makes of scope_native.mjs.

/** Runs `use` with what `open` resolves with, which is disposed of behind it. */
export async function within(open, use) {
  const opened = await open();
  try {
    return await use(opened);
  } finally {
    await opened?.[Symbol.asyncDispose]();
  }
}
