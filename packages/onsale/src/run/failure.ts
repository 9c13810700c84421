/**
 * Why a demo could not be carried through, in words for whoever runs it: a server or client that ended by itself, a moment
 * that never came, an answer that must not be. A fault of the demo's own code is any other error and keeps its stack.
 */

export class DemoFailure extends Error {
  override readonly name: string = 'DemoFailure';
}
