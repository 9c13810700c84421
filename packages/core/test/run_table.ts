/**
 * Runs a text table (table.ts) on a machine. After every row the invariants hold and the state survives a snapshot; after
 * the last one, replaying what was logged gives the same state.
 */
import {expect} from 'vitest';
import {AllocDb, type CoreConfig} from '../src/index.ts';
import {type Answer, CONFIG, HASH_SEED, Machine} from './machine.ts';
import {loadInto, takeSnapshot} from './snapshots.ts';
import {commandOf, lettered, number, parseTable, type Row} from './table.ts';

/** A position to start from: a database that has been there for long. */
export interface Start {
  lsn: bigint;
  slot: bigint;
}

class TableRun {
  readonly machine: Machine;
  private readonly names: Map<string, bigint> = new Map();
  private readonly answers: Map<bigint, Answer> = new Map();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** What the row's command answers, in the notation of the table. */
  answer(row: Row): string {
    const {slot, words} = row;
    switch (words[0]) {
      case 'expire':
        return render(this.machine.expire(slot, this.idOf(words[1]), number(words[2])));
      case 'due':
        return this.list(this.machine.due(slot));
      case 'lease':
        return this.lease(this.idOf(words[1]), slot);
      case 'resource':
        return this.resource(lettered('r', words[1]));
      case 'used':
        return `${this.machine.db.reservationsUsed}/${this.machine.db.operations.used}`;
      default:
        return this.submit(row);
    }
  }

  private submit({slot, operationId, words}: Row): string {
    if (operationId === null) throw new Error(`a client command needs an operation: ${words.join(' ')}`);
    const command = commandOf(words, reference => this.idOf(reference));
    const answer = this.machine.submit(slot, {operationId, clientId: slot, command});
    const first = this.answers.get(operationId);
    if (answer.retry) {
      // A repeat tells the whole first answer; a conflict tells only where the first one stands.
      expect(answer.lsn).toBe(first?.lsn);
      if (answer.code !== 'operation_conflict') expect({...answer, retry: false}).toEqual(first);
      else expect([answer.reservationId, answer.deadlineSlot]).toEqual([null, null]);
    } else if (answer.lsn !== null && answer.code !== 'operation_table_full') this.answers.set(operationId, answer);
    if (answer.reservationId !== null && !answer.retry) {
      expect(answer.reservationId).toBe(this.machine.idOfLsn(this.machine.lastLsn));
      this.names.set(words[1], answer.reservationId);
    }
    return render(answer);
  }

  private idOf(reference: string): bigint {
    if (reference.startsWith('#')) return this.machine.idOfLsn(number(reference.slice(1)));
    if (reference.startsWith('~')) return ((this.machine.config.shardId ^ 1n) << 64n) | number(reference.slice(1));
    const id = this.names.get(reference);
    if (id === undefined) throw new Error(`nothing was granted to ${reference}`);
    return id;
  }

  private nameOf(id: bigint): string {
    for (const [name, named] of this.names) if (named === id) return name;
    return String(id);
  }

  private list(ids: readonly bigint[]): string {
    return ids.length === 0 ? 'none' : ids.map(id => this.nameOf(id)).join(',');
  }

  private lease(id: bigint, slot: bigint): string {
    const lease = this.machine.lease(id, slot);
    if (typeof lease === 'string') return lease;
    expect(this.machine.idOfLsn(lease.lsn)).toBe(id);
    const over = lease.retireAfterSlot === null ? '' : `/until${lease.retireAfterSlot}`;
    return `${lease.state}/h${lease.holderId}/e${lease.epoch}/${lease.members.map(r => `r${r}`).join('+')}${over}`;
  }

  private resource(resourceId: bigint): string {
    const resource = this.machine.resource(resourceId);
    if (resource === null) return 'none';
    return `${resource.state}/${resource.heldBy === null ? '-' : this.nameOf(resource.heldBy)}/v${resource.version}`;
  }
}

function render({code, deadlineSlot, retry}: Answer): string {
  return `${retry ? 'again:' : ''}${code}${deadlineSlot === null ? '' : `@${deadlineSlot}`}`;
}

function expectSnapshotKeeps(machine: Machine): void {
  const snapshot = takeSnapshot(machine.db);
  const copy = new Machine(machine.config, new AllocDb(machine.config, HASH_SEED));
  expect(loadInto(copy.db, snapshot)).toEqual({problem: null, digest: snapshot.digest});
  expect(copy.digest()).toBe(snapshot.digest);
  copy.expectSound();
}

/** Runs the table; `changes` are made to the usual small configuration. */
export function runTable(table: string, changes: Partial<CoreConfig> = {}, start: Start | null = null): Machine {
  const machine = new Machine({...CONFIG, ...changes});
  if (start !== null) machine.startAt(start.lsn, start.slot);
  const run = new TableRun(machine);
  for (const row of parseTable(table)) {
    expect({row: row.text, answer: run.answer(row)}).toEqual({row: row.text, answer: row.expected});
    machine.expectSound();
    expectSnapshotKeeps(machine);
  }
  if (start === null) expect(machine.replayed().digest()).toBe(machine.digest());
  return machine;
}
