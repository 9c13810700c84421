/**
 * Planted violations: each is found by the check that is named for it and by no other, with the log, without it, or both.
 * Every row is tried on several histories; a history that offers no place for it does not count.
 */
import {beforeAll, describe, expect, test} from 'vitest';
import {type CheckName, checkHistory, type HistoryEntry, openDirectoryLog} from '../src/history/index.ts';
import {
  type Alteration,
  answering,
  attemptsOf,
  ended,
  grantsIn,
  holderAt,
  isOn,
  isSingle,
  isTold,
  isUnnamed,
  readsIn,
  repeat,
  replaced,
  resourcesOf,
  shownOwner,
  single,
  slotAt,
  slotOf,
  ticksIn,
  toldIn,
  without,
} from './history_planted.ts';
import {runWorld, type World} from './history_world.ts';
import {DIR} from './support.ts';

const SEEDS = 30;
const TRIES = 3;
const worlds: World[] = [];

beforeAll(async () => {
  // In calm ones more is known for certain: no operation is left without an answer, and many share a slot.
  for (let seed = 1; seed <= SEEDS; seed++) {
    const isCalm = seed % 2 === 0;
    worlds.push(await runWorld(seed, {crashes: !isCalm, slow: isCalm, steps: isCalm ? 1500 : 600}));
  }
});

type Mode = 'with the log' | 'without';

function found(world: World, entries: readonly HistoryEntry[], mode: Mode): CheckName[] {
  if (mode === 'without') return foundBy(checkHistory(world.header, entries).checks);
  using log = openDirectoryLog(DIR, world.disk);
  return foundBy(checkHistory(world.header, entries, {log}).checks);
}

function foundBy(counts: readonly {check: CheckName; found: number}[]): CheckName[] {
  return counts.filter(count => count.found > 0).map(({check}) => check);
}

/** An answer that a busy resource was granted, where its holder had confirmed, or not yet. */
function grantedTwice(done: string): Alteration {
  return single(
    ({command, answer}, entries) => {
      if (command.kind !== 'reserve' || answer.result !== 'resource_busy') return false;
      const holder = holderAt(entries, command.resourceId, answer.lsn);
      const slot = slotAt(entries, answer.lsn);
      if (holder === null || slot === null || holder.isOpen) return false;
      return holder.done.join() === done && (holder.grant.answer.deadlineSlot ?? 0n) > slot;
    },
    (told, entries) => {
      const {lsn} = told.answer;
      const slot = slotAt(entries, lsn) ?? 0n;
      const ttl = told.command.kind === 'reserve' ? told.command.ttlSlots : 0n;
      return answering(told, {result: 'ok', reservationId: (7n << 64n) | lsn, deadlineSlot: slot + ttl});
    },
  );
}

/** The command that ended a hold is not in the history, and the resource was granted again before the deadline. */
function endMissing(before: string): Alteration {
  return entries => {
    for (const again of grantsIn(entries)) {
      for (const resourceId of resourcesOf(again.command)) {
        const holder = holderAt(entries, resourceId, again.answer.lsn);
        if (holder === null || holder.isOpen || holder.done.join() !== [before, 'release'].filter(Boolean).join())
          continue;
        if ((holder.grant.answer.deadlineSlot ?? 0n) <= slotOf(again)) continue;
        const id = holder.grant.answer.reservationId;
        // Nor is who was told that it is over.
        const ends = toldIn(entries).filter(({command, answer}) => {
          const isRelease = command.kind === 'release' || command.kind === 'release_fenced';
          return isOn(command, id) && (isRelease || answer.result === 'reservation_retired');
        });
        const lines = ends.flatMap(({operation}) => attemptsOf(entries, operation).map(({line}) => line));
        return without(entries, lines);
      }
    }
    return null;
  };
}

const BOTH: readonly Mode[] = ['with the log', 'without'];
const LOG: readonly Mode[] = ['with the log'];
const ALONE: readonly Mode[] = ['without'];

const PLANTED: readonly [what: string, check: CheckName, modes: readonly Mode[], alter: Alteration][] = [
  [
    'a retry is told another lsn',
    'at_most_once',
    BOTH,
    repeat((again, _first, entries) => replaced(entries, answering(again, {lsn: ended(entries).lsn + 5n}))),
  ],
  [
    'a retry is told another result',
    'at_most_once',
    BOTH,
    repeat((again, _first, entries) => replaced(entries, answering(again, {result: 'invalid_state'}))),
  ],
  [
    'a retry is executed as new',
    'at_most_once',
    BOTH,
    repeat((again, _first, entries) => replaced(entries, answering(again, {fromRetryCache: false}))),
  ],
  [
    'an operation is remembered that nobody has sent before',
    'at_most_once',
    BOTH,
    single(
      () => true,
      told => answering(told, {fromRetryCache: true}),
    ),
  ],
  [
    'an operation that was refused for good is remembered',
    'at_most_once',
    BOTH,
    repeat((_again, first, entries) => replaced(entries, {...first, answer: {type: 'definite', code: 'overloaded'}})),
  ],
  [
    'two operations are told one lsn',
    'at_most_once',
    BOTH,
    single(
      () => true,
      (told, entries) => {
        const other = toldIn(entries).find(each => each.operation !== told.operation && isSingle(entries, each));
        return other === undefined ? null : answering(told, {...other.answer});
      },
    ),
  ],
  [
    'an operation conflicts with nobody',
    'at_most_once',
    BOTH,
    single(
      ({answer}) => answer.result === 'resource_not_found',
      told => answering(told, {result: 'operation_conflict', fromRetryCache: true}),
    ),
  ],
  [
    'an acknowledged operation is behind the end of the log',
    'in_log',
    LOG,
    entries => {
      const {time, lsn} = ended(entries);
      const command = {kind: 'create_resource', resourceId: 99n} as const;
      const answer = {
        type: 'committed',
        lsn: lsn + 100n,
        result: 'ok',
        reservationId: null,
        deadlineSlot: null,
        fromRetryCache: false,
      } as const;
      const span = {client: 1n, sent: time + 1, came: time + 2, connection: null, place: 0, line: entries.length + 2};
      return [...entries, {type: 'attempt', operation: 7n, command, answer, ...span}];
    },
  ],
  [
    'an acknowledged operation stands elsewhere in the log',
    'in_log',
    LOG,
    single(
      ({answer}, entries) => !isTold(entries, answer.lsn + 1n) && answer.lsn < ended(entries).lsn,
      told => answering(told, {lsn: told.answer.lsn + 1n}),
    ),
  ],
  [
    'an operation was refused for good and is in the log',
    'in_log',
    LOG,
    single(
      () => true,
      told => ({...told, answer: {type: 'definite', code: 'overloaded'}}),
    ),
  ],
  [
    'an acknowledged operation is in the log as another command',
    'in_log',
    LOG,
    single(
      ({command}) => command.kind === 'confirm',
      told => (told.command.kind === 'confirm' ? {...told, command: {...told.command, holderId: 77n}} : null),
    ),
  ],
  [
    'an unanswered operation is in the log as another command',
    'in_log',
    LOG,
    single(
      ({command}) => command.kind === 'create_resource',
      told => ({...told, command: {kind: 'create_resource', resourceId: 77n}, came: null, answer: {type: 'nothing'}}),
    ),
  ],
  [
    'an answer has another result than the log',
    'replay',
    LOG,
    single(
      ({answer}) => answer.result === 'resource_busy',
      told => answering(told, {result: 'resource_not_found'}),
    ),
  ],
  [
    'a deadline is one slot later than the log makes it',
    'replay',
    LOG,
    single(
      ({answer}) => answer.deadlineSlot !== null,
      told => answering(told, {deadlineSlot: (told.answer.deadlineSlot ?? 0n) + 1n}),
    ),
  ],
  [
    'a reservation id is not that of its lsn',
    'replay',
    BOTH,
    single(
      (told, entries) => told.answer.reservationId !== null && isUnnamed(entries, told),
      told => answering(told, {reservationId: (told.answer.reservationId ?? 0n) + 1n}),
    ),
  ],
  [
    'a slot goes back',
    'replay',
    ALONE,
    single(
      (told, entries) => {
        const earlier = grantsIn(entries).filter(({answer}) => answer.lsn < told.answer.lsn);
        return told.answer.deadlineSlot !== null && earlier.filter(each => slotOf(each) > slotOf(told) - 8n).length > 3;
      },
      told =>
        told.answer.deadlineSlot === null ? null : answering(told, {deadlineSlot: told.answer.deadlineSlot - 8n}),
    ),
  ],
  [
    'a resource is created twice',
    'replay',
    BOTH,
    single(
      ({answer}) => answer.result === 'already_exists',
      told => answering(told, {result: 'ok'}),
    ),
  ],
  [
    'a resource is missing that was there',
    'replay',
    BOTH,
    single(
      ({answer, command}, entries) =>
        command.kind === 'reserve' &&
        answer.result === 'resource_busy' &&
        holderAt(entries, command.resourceId, answer.lsn) !== null,
      told => answering(told, {result: 'resource_not_found'}),
    ),
  ],
  [
    'a free resource is refused as busy',
    'replay',
    BOTH,
    single(
      (told, entries) => {
        const {answer, command} = told;
        if (command.kind !== 'reserve' || answer.result !== 'ok' || !isUnnamed(entries, told)) return false;
        const holder = holderAt(entries, command.resourceId, answer.lsn);
        return holder !== null && !holder.isOpen && holder.done.includes('release');
      },
      told => answering(told, {result: 'resource_busy', reservationId: null, deadlineSlot: null}),
    ),
  ],
  [
    'the right holder is refused as another',
    'replay',
    BOTH,
    single(
      ({answer, command}) => command.kind === 'confirm' && answer.result === 'ok',
      told => answering(told, {result: 'holder_mismatch'}),
    ),
  ],
  [
    'a reservation that nobody was granted is confirmed',
    'replay',
    BOTH,
    single(
      ({answer, command}) => command.kind === 'confirm' && answer.result === 'reservation_not_found',
      told => answering(told, {result: 'ok'}),
    ),
  ],
  ['a confirmed resource is granted to another', 'disjoint_ownership', ALONE, grantedTwice('confirm')],
  ['a held resource is granted to another', 'nothing_early', ALONE, grantedTwice('')],
  [
    'a confirmed resource is granted again, and nobody gave it back',
    'disjoint_ownership',
    ALONE,
    endMissing('confirm'),
  ],
  ['a held resource is granted again, and nobody gave it back', 'nothing_early', ALONE, endMissing('')],
  [
    'a hold is refused as over before its deadline',
    'nothing_early',
    ALONE,
    single(
      ({answer, command}, entries) => {
        if (command.kind !== 'confirm' || answer.result !== 'ok') return false;
        const grant = grantsIn(entries).find(each => each.answer.reservationId === command.reservationId);
        const slot = slotAt(entries, answer.lsn);
        if (grant === undefined || slot === null || (grant.answer.deadlineSlot ?? 0n) <= slot) return false;
        return holderAt(entries, resourcesOf(grant.command)[0] ?? 0n, answer.lsn)?.isOpen === false;
      },
      told => answering(told, {result: 'reservation_retired'}),
    ),
  ],
  [
    'an operation stands before what had been told when it was sent',
    'real_time_order',
    BOTH,
    entries => {
      const {time, lsn} = ended(entries);
      const early = toldIn(entries).find(told => isSingle(entries, told) && told.answer.lsn < lsn);
      if (early === undefined) return null;
      return replaced(entries, {...early, sent: time + 1, came: time + 2, connection: null, place: 0});
    },
  ],
  [
    'a tick stands before what had been told when it was sent',
    'real_time_order',
    BOTH,
    entries => {
      const {time, lsn} = ended(entries);
      const early = ticksIn(entries).find(
        ({answer}) => answer.type === 'applied' && answer.lastLsn !== null && answer.lastLsn < lsn,
      );
      return early === undefined ? null : replaced(entries, {...early, sent: time + 1, came: time + 2});
    },
  ],
  [
    'a connection is answered in another order than it sent',
    'pipelined_order',
    BOTH,
    entries => {
      const fresh = toldIn(entries).filter(told => isSingle(entries, told));
      for (const [i, one] of fresh.entries()) {
        const next = fresh
          .slice(i + 1)
          .find(({connection, place}) => connection === one.connection && place === one.place + 1);
        if (next === undefined || next.sent > (one.came ?? 0)) continue;
        return replaced(replaced(entries, {...one, place: next.place}), {...next, place: one.place});
      }
      return null;
    },
  ],
  [
    'a read shows a version that the resource had at another time',
    'reads',
    LOG,
    entries => {
      const read = readsIn(entries).find(({answer}) => answer.type === 'resource' && answer.version > 2n);
      if (read?.answer.type !== 'resource') return null;
      return replaced(entries, {...read, answer: {...read.answer, version: read.answer.version - 2n}});
    },
  ],
  [
    'a read shows an owner that was granted other resources',
    'reads',
    BOTH,
    entries => {
      const read = readsIn(entries).find(each => shownOwner(each) !== null);
      const {id = 0n, came} = read ?? {};
      const other = grantsIn(entries).find(
        ({command, came: told}) => !resourcesOf(command).includes(id) && (told ?? 0) < (came ?? 0),
      );
      if (read?.answer.type !== 'resource' || other === undefined) return null;
      return replaced(entries, {...read, answer: {...read.answer, reservationId: other.answer.reservationId}});
    },
  ],
  [
    'a read shows another holder than was granted',
    'reads',
    BOTH,
    entries => {
      const grants = new Set(grantsIn(entries).map(({answer}) => answer.reservationId));
      const read = readsIn(entries).find(({answer, id}) => answer.type === 'reservation' && grants.has(id));
      if (read?.answer.type !== 'reservation') return null;
      return replaced(entries, {...read, answer: {...read.answer, holderId: 77n}});
    },
  ],
];

describe.each(PLANTED)('%s', (_what, check, modes, alter) => {
  test.each(modes)(`is found by ${check}, %s`, mode => {
    let tries = 0;
    for (const [i, world] of worlds.entries()) {
      const entries = alter(world.entries);
      if (entries === null) continue;
      expect([`seed ${i + 1}`, found(world, entries, mode)]).toEqual([`seed ${i + 1}`, [check]]);
      if (++tries === TRIES) return;
    }
    expect(tries).toBe(TRIES);
  });
});
