/**
 * Shared by these tests: small managers on a simulated disk, and payloads that begin with the name of their collection.
 */

import {expect} from 'vitest';
import type {FileIo, RecordError, WalOptions} from '../../src/index.ts';
import {isRecordError} from '../../src/index.ts';
import {type ReplayOptions, WalManager} from '../../src/nodedb/index.ts';
import {openSmall} from '../support.ts';

export const SCOPE = {tenant: 1n, database: 2n, vshard: 3};

export function openManager(io: FileIo, options: Partial<WalOptions> = {}): WalManager {
  return new WalManager(openSmall(io, options));
}

/** `collection/rest` as bytes. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The collection of a payload made by `text('collection/rest')`; none where there is no slash. */
export const byPrefix: Pick<ReplayOptions, 'collectionOf'> = {
  collectionOf: (_type, payload) => {
    const [collection = '', rest] = textOf(payload).split('/');
    return rest === undefined ? null : collection;
  },
};

export function recordErrorOf(run: () => unknown): RecordError {
  try {
    run();
  } catch (error) {
    if (isRecordError(error)) return error;
    throw error;
  }
  return expect.fail('expected an error');
}
