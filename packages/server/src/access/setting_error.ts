/**
 * The error for a file or option that the server was told to use and cannot: thrown before anything listens, so that whoever
 * starts the server can say it in one line. The message names the file and what is wrong, and never what is in the file.
 */

const MARK: symbol = Symbol.for('@allocdb/server/SettingError');

/** A setting cannot be used; `message` says which, and why. */
export class SettingError extends Error {
  override readonly name: string = 'SettingError';

  constructor(message: string, options: {cause?: unknown} = {}) {
    super(message, options);
    Object.defineProperty(this, MARK, {value: true});
  }
}

/** True for a SettingError, also one made by another copy of this package. */
export function isSettingError(value: unknown): value is SettingError {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[MARK] === true;
}
