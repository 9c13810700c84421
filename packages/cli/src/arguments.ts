/**
 * What words on a command line mean: numbers, lsns, durations, sizes, addresses, ids. Each parser takes the text of one
 * argument and throws commander's InvalidArgumentError, which names the flag and exits 64.
 *
 * An id is a UUID or 32 hex digits. A name, of any form, becomes an id by its hash, but only when it says so with `name:`
 * in front: otherwise every typo of an id would quietly be the name of something else.
 */
import {
  type HolderId,
  holderId,
  holderIdFrom,
  type OperationId,
  operationId,
  operationIdFrom,
  parseAddress,
  type ReservationId,
  type ResourceId,
  reservationId,
  resourceId,
  resourceIdFrom,
} from '@allocdb/client';
import type {ListenAddress} from '@allocdb/server';
import {InvalidArgumentError} from 'commander';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const NAME = 'name:';

/** A whole number between two bounds. */
export function whole(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** A u64: an lsn, a slot, an epoch. */
export function u64(text: string): bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > U64_MAX) {
    throw new InvalidArgumentError('must be a whole number below 2^64.');
  }
  return BigInt(text);
}

/** A u64 that is not 0: an lsn to begin with, a number of slots. */
export function positiveU64(text: string): bigint {
  const value = u64(text);
  if (value === 0n) throw new InvalidArgumentError('must be at least 1.');
  return value;
}

const UNIT_MS = {ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000} as const;

/** A length of time such as 500ms, 30s, 10m, 2h or 90d, at least 1 ms, in milliseconds. */
export function duration(text: string): number {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text);
  const value = match === null ? 0 : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  if (value < 1 || value > Number.MAX_SAFE_INTEGER) {
    throw new InvalidArgumentError('must be a length of time such as 500ms, 30s, 10m, 2h or 90d.');
  }
  return value;
}

const TIMER_MAX_MS = 0x7fff_ffff;

/** A {@link duration} that a timer can count, up to 24 days. */
export function timeout(text: string): number {
  const value = duration(text);
  if (value > TIMER_MAX_MS) throw new InvalidArgumentError('must be at most 24d.');
  return value;
}

const UNIT_BYTES = {'': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40} as const;

/** A size such as 4096, 64MiB or 1GiB, at least 1 byte, in bytes. */
export function size(text: string): number {
  const match = /^(\d{1,16})(|KiB|MiB|GiB|TiB)$/.exec(text);
  const value = match === null ? 0 : Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES];
  if (value < 1 || value > Number.MAX_SAFE_INTEGER) {
    throw new InvalidArgumentError('must be a size such as 4096, 64KiB, 64MiB or 1GiB.');
  }
  return value;
}

/** An address to listen on. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw new InvalidArgumentError('must be HOST:PORT, such as 127.0.0.1:7433.');
  return {host, port};
}

/** The address of a server, as it was given. */
export function serverUrl(text: string): string {
  argument(() => parseAddress(text));
  return text;
}

/** Something else that throws for a text that it cannot read, as a parser of arguments. */
function argument<Value>(parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** A reservation id. It has no name: the database made it. */
export function reservationArgument(text: string): ReservationId {
  return argument(() => reservationId(text));
}

/** Told of each name on a command line and the id that it became. */
export type OnName = (name: string, id: string) => void;

/** Parsers of the ids that may be named. */
export interface IdParsers {
  resource(text: string): ResourceId;
  /** For an argument that may be repeated. */
  resources(text: string, before: readonly ResourceId[] | undefined): readonly ResourceId[];
  holder(text: string): HolderId;
  operation(text: string): OperationId;
}

/** Parsers that tell `onName` what names became. */
export function idParsers(onName: OnName): IdParsers {
  const parser =
    <Id extends string>(read: (text: string) => Id, hash: (name: string) => Id) =>
    (text: string): Id => {
      if (!text.startsWith(NAME)) return argument(() => readId(text, read));
      const name = text.slice(NAME.length);
      if (name === '') throw new InvalidArgumentError('a name follows name:, such as name:seat-12.');
      const id = hash(name);
      onName(text, id);
      return id;
    };
  const resource = parser(resourceId, resourceIdFrom);
  return {
    resource,
    resources: (text, before = []) => [...before, resource(text)],
    holder: parser(holderId, holderIdFrom),
    operation: parser(operationId, operationIdFrom),
  };
}

function readId<Id extends string>(text: string, read: (text: string) => Id): Id {
  try {
    return read(text);
  } catch (error) {
    throw new RangeError(`${(error as Error).message}; a name is written ${NAME}${text.slice(0, 64) || 'TEXT'}`);
  }
}
