// The end of a scope in the language itself. A version of Node that does not know the syntax cannot load this file, and
// the program takes scope_by_hand.mjs instead; nothing else may differ between the two.

/** Runs `use` with what `open` resolves with, which is disposed of behind it. */
export async function within(open, use) {
  await using opened = await open();
  return await use(opened);
}
