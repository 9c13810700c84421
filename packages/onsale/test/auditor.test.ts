import {describe, expect, it} from 'vitest';
import type {ApiLease} from '../src/audit/api_audit.ts';
import type {CheckName} from '../src/audit/findings.ts';
import type {LogContent} from '../src/audit/log_command.ts';
import {BUYER, id, SEAT, type Story, story, type World} from './world.ts';

function commandAt(world: World, operation: string): LogContent & {type: 'command'} {
  const record = world.records.find(({content}) => content.type === 'command' && content.operation === operation);
  if (record?.content.type !== 'command') throw new Error('no such operation');
  return record.content;
}

function replaceContent(world: World, lsn: number, content: LogContent): void {
  const record = world.records.find(each => each.lsn === lsn);
  if (record !== undefined) record.content = content;
}

function lsnOf(world: World, operation: string): number {
  return world.answerOf(operation).lsn;
}

function leaseOf(world: World, lease: string): ApiLease {
  const found = world.apiLeases.get(lease) ?? null;
  if (found === null) throw new Error('no such reservation');
  return found;
}

const [FIRST = '', SECOND = '', THIRD = '', , LAST = ''] = SEAT;
const [, OTHER = ''] = BUYER;

describe('an honest sale', () => {
  it('has no violation, and every check looked at something', () => {
    const {world} = story();
    const {findings, sum, ledgers, history} = world.audit();
    expect(findings.violations).toEqual([]);
    expect(sum).toEqual({sold: 2, held: 1, free: 2, all: 5});
    expect(ledgers.lost).toEqual([{requests: 2, before: 1, after: 0, looks: 1}]);
    expect(ledgers.askedAgain).toBe(1);
    expect(history.expirations).toHaveLength(1);
    expect(Object.fromEntries(ledgers.results)).toEqual({
      'create ok': 5,
      'reserve ok': 4,
      'reserve resource_busy': 1,
      'release ok': 1,
      'confirm ok': 1,
    });
    const looked = (['log_order', 'log_history', 'hold_length', 'look_true', 'sale_kept', 'order_real'] as const).map(
      name => findings.looked(name) > 0,
    );
    expect(looked).not.toContain(false);
  });
});

/** What is done to an honest sale, and the check that must notice. */
const PLANTED: readonly (readonly [string, CheckName, (told: Story) => void])[] = [
  ['a ledger line that cannot be read', 'ledger_form', ({world}) => world.entries.push(null as never)],
  [
    'an answer altered from refused to granted',
    'answer_true',
    ({world, refusal}) => Object.assign(world.answerOf(refusal), {result: 'ok', granted: id(99), deadline: 60}),
  ],
  [
    'an answer altered from granted to refused',
    'answer_true',
    ({world, sale}) => Object.assign(world.answerOf(sale), {result: 'reservation_retired'}),
  ],
  [
    'a deadline altered by one slot',
    'answer_true',
    ({world}) => {
      const granted = world.entries.find(entry => entry.entry === 'answer' && entry.granted !== null);
      Object.assign(granted ?? {}, {deadline: 61});
    },
  ],
  ['an lsn altered', 'answer_logged', ({world, sale}) => Object.assign(world.answerOf(sale), {lsn: 1})],
  [
    'another seat in the log than the one asked for',
    'answer_logged',
    ({world, refusal}) => {
      const content = commandAt(world, refusal);
      const command = {...content.command, seats: [FIRST]};
      replaceContent(world, lsnOf(world, refusal), {...content, command});
    },
  ],
  [
    'a record dropped from the log',
    'answer_logged',
    ({world, refusal}) => world.records.splice(lsnOf(world, refusal) - 1, 1),
  ],
  [
    'a hole in the log where a record was dropped',
    'log_order',
    ({world, refusal}) => world.records.splice(lsnOf(world, refusal) - 1, 1),
  ],
  ['a slot that goes back', 'log_order', ({world}) => Object.assign(world.records.at(-1) ?? {}, {slot: 0})],
  [
    'a record that is no command',
    'log_order',
    ({world, refusal}) => replaceContent(world, lsnOf(world, refusal), {type: 'unknown', why: 'noise'}),
  ],
  ['the last record lost', 'answer_logged', ({world}) => world.records.pop()],
  [
    'an acknowledged record lost in a crash',
    'answer_survived',
    ({world, sale}) => Object.assign(world.answerOf(sale), {life: 0}),
  ],
  [
    'history rewritten after a crash',
    'log_history',
    ({world}) => Object.assign(world.crashes[0] ?? {}, {logDigest: 'another'}),
  ],
  ['a log that is shorter than at a crash', 'log_history', ({world}) => world.records.splice(6)],
  [
    'one operation executed twice',
    'operation_once',
    ({world, sale}) => world.log({...commandAt(world, sale), operation: sale}),
  ],
  ['a granted seat granted again: two owners in the log', 'answer_true', ({world}) => world.reserve([FIRST], OTHER)],
  [
    'a hold that expires a slot early',
    'expire_late',
    ({world, expired}) => {
      for (const record of world.records) {
        if (record.content.type === 'expire' && record.content.lease === expired) record.slot = 59;
      }
    },
  ],
  ['a hold that expires although it was confirmed', 'expire_late', ({world, sold}) => world.expire(sold, 60)],
  ['an expiration of what never was', 'expire_late', ({world}) => world.expire(id(77), 60)],
  [
    'a hold that was over sooner than its holder’s clock allows',
    'hold_length',
    ({world, expired}) => {
      for (const entry of world.entries) {
        if (entry.entry !== 'answer' || entry.lsn <= Number(`0x${expired}`)) continue;
        Object.assign(entry, {sentUs: entry.sentUs - 1e6, receivedUs: entry.receivedUs - 1e6});
      }
    },
  ],
  [
    'an order in the log that clocks contradict',
    'order_real',
    ({world, refusal}) => {
      const entry = world.answerOf(refusal);
      Object.assign(entry, {sentUs: entry.sentUs + 9e6, receivedUs: entry.receivedUs + 9e6});
    },
  ],
  [
    'a second answer that differs from the first',
    'answer_stable',
    ({world, sale}) => {
      const again = world.entries.findLast(entry => entry.entry === 'answer' && entry.operation === sale);
      Object.assign(again ?? {}, {result: 'invalid_state'});
    },
  ],
  [
    'a retry that is answered as if it were new',
    'answer_cached',
    ({world, lost}) => Object.assign(world.answerOf(lost), {cached: false}),
  ],
  [
    'a first answer that claims to be a repetition',
    'answer_cached',
    ({world, refusal}) => Object.assign(world.answerOf(refusal), {cached: true}),
  ],
  [
    'an unanswered request that never came to a result',
    'lost_resolved',
    ({world}) => world.entries.push({entry: 'lost', life: 0, operation: id(4711)}),
  ],
  [
    'a request lost without a crash',
    'lost_resolved',
    ({world, lost}) => world.entries.push({entry: 'lost', life: 1, operation: lost}),
  ],
  [
    'a command in the log that nobody sent',
    'record_answered',
    ({world}) => world.unanswered({kind: 'reserve', seats: [LAST], holder: OTHER, ttl: 60}),
  ],
  [
    'a request that was turned away',
    'ledger_form',
    ({world, sale}) => {
      const {life, sentUs, receivedUs, sends} = world.answerOf(sale);
      const times = {life, sentUs, receivedUs, sends};
      world.entries.push({entry: 'rejected', ...times, operation: sale, failure: 'storage_failure'});
    },
  ],
  [
    'a seat seen in a state it never had',
    'look_true',
    ({world}) => Object.assign(world.lookAt(FIRST), {state: 'available'}),
  ],
  ['a seat seen at a version it never had', 'look_true', ({world}) => Object.assign(world.lookAt(FIRST), {version: 9})],
  [
    'a seat seen as it was before what was known',
    'look_true',
    ({world}) => Object.assign(world.lookAt(FIRST), {sentUs: 99e6, receivedUs: 99e6}),
  ],
  [
    'a sold seat that the API shows free',
    'api_seat',
    ({world}) => world.apiSeats.set(FIRST, {state: 'available', lease: null, version: 3}),
  ],
  ['a seat that the API does not know', 'sum', ({world}) => world.apiSeats.set(LAST, null)],
  [
    'a second reservation that lists a sold seat',
    'one_owner',
    ({world, sold}) => world.apiLeases.set(id(50), {...leaseOf(world, sold), holder: OTHER}),
  ],
  [
    'a sold seat that names an owner who does not list it',
    'one_owner',
    ({world, held}) => world.apiSeats.set(SECOND, {state: 'confirmed', lease: held, version: 2}),
  ],
  [
    'a free seat that a reservation lists',
    'one_owner',
    ({world, sold}) => world.apiLeases.set(sold, {...leaseOf(world, sold), seats: [FIRST, SECOND, LAST]}),
  ],
  [
    'a sale that belongs to somebody else',
    'sale_kept',
    ({world, sold}) => world.apiLeases.set(sold, {...leaseOf(world, sold), holder: OTHER}),
  ],
  ['a sale that is gone', 'sale_kept', ({world, sold}) => world.apiLeases.set(sold, null)],
  [
    'a hold whose epoch is another',
    'api_lease',
    ({world, held}) => world.apiLeases.set(held, {...leaseOf(world, held), epoch: 2}),
  ],
  [
    'a held seat that expired in the API',
    'api_seat',
    ({world}) => world.apiSeats.set(THIRD, {state: 'available', lease: null, version: 4}),
  ],
  ['a server that finds itself unsound', 'server', ({world}) => Object.assign(world.verdict, {ok: false})],
  ['a server that ends elsewhere', 'server', ({world}) => Object.assign(world.verdict, {lsn: 3})],
];

describe('a forged sale', () => {
  it.each(PLANTED)('%s is reported by %s', (_, check, plant) => {
    const told = story();
    plant(told);
    const {findings} = told.world.audit();
    expect(findings.violations.map(violation => violation.check)).toContain(check);
    expect(findings.violationCount).toBeGreaterThan(0);
  });

  it('keeps the first cases of a check in words and counts the rest', () => {
    const {world} = story();
    for (let i = 0; i < 30; i++) world.entries.push({entry: 'lost', life: 0, operation: id(5000 + i)});
    const {findings} = world.audit();
    expect(findings.failed('lost_resolved')).toBe(30);
    expect(findings.violations).toHaveLength(20);
    expect(findings.violations[0]?.what).toMatch(/ledger:\d+: operation 0+1388 was left unanswered by crash 1/);
  });
});
