/**
 * An async generator that can be left while a step waits. By itself one hears of `return()` only at its next `yield`, which
 * for a feed in which nothing happens is never; so whoever makes one says here what ends the wait.
 *
 * Steps that were asked for end in order, as those of any generator. Not here: what is waited for, and how its end is told.
 */

/**
 * `inner`, with `return()`, `throw()` and the end of an `await using` calling `stop` first, at once. After that a step of
 * `inner` that waits has to end, and no later one may wait. `stop` is also called where no step was ever asked for.
 */
export function leavable<Item>(inner: AsyncGenerator<Item, void>, stop: () => unknown): AsyncGenerator<Item, void> {
  /** In this order and in one go: a step asked for from now on finds it stopped. */
  const leave = async (end: () => Promise<IteratorResult<Item, void>>): Promise<IteratorResult<Item, void>> => {
    const [, result] = await Promise.all([stop(), end()]);
    return result;
  };
  return {
    next: () => inner.next(),
    return: () => leave(() => inner.return()),
    throw: error => leave(() => inner.throw(error)),
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await this.return();
    },
  };
}
