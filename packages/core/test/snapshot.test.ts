import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {AllocDb, bigintOfU128, SNAPSHOT_ORDER, SnapshotReader} from '../src/index.ts';
import {Machine} from './machine.ts';
import {type Block, loadInto, readBlock, sectionWords, takeSnapshot} from './snapshots.ts';
import {configs, type Step, Stepper, steps} from './streams.ts';

const OTHER_SEED = Int32Array.of(9, 8, 7, 6, 5, 4, 3, 2);

/** Reads a snapshot piece by piece, a few blocks whenever it is told to. */
class Drain {
  readonly reader: SnapshotReader;
  readonly blocks: Block[] = [];
  private section = 0;

  constructor(machine: Machine) {
    this.reader = new SnapshotReader(machine.db);
  }

  get isDone(): boolean {
    return this.section === SNAPSHOT_ORDER.length;
  }

  /** Reads one block; `extra` is room beyond the least that a read must be given. */
  read(extra: number): void {
    while (!this.isDone) {
      const block = readBlock(this.reader, SNAPSHOT_ORDER[this.section], this.reader.recordWordsMax + extra);
      if (block !== null) {
        this.blocks.push(block);
        return;
      }
      this.section++;
    }
  }
}

interface Cut {
  before: Step[];
  after: Step[];
  /** Blocks read after each command, and the room of each beyond the least. */
  pace: number[];
  extra: number[];
}

const cuts: fc.Arbitrary<Cut> = fc.record({
  before: fc.integer({min: 0, max: 90}).chain(steps),
  after: steps(60),
  pace: fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2), {minLength: 1, maxLength: 9}),
  extra: fc.array(fc.constantFrom(0, 0, 1, 9, 33), {minLength: 1, maxLength: 5}),
});

describe('a snapshot that is read while commands are applied', () => {
  test('holds the state of its beginning, and a database loaded from it goes on alike', {timeout: 300_000}, () => {
    fc.assert(
      fc.property(configs, cuts, (config, {before, after, pace, extra}) => {
        const machine = new Machine(config);
        const stepper = new Stepper(machine);
        for (const step of before) stepper.apply(step);
        const atOnce = takeSnapshot(machine.db);
        const digest = machine.digest();
        expect(atOnce.digest).toBe(digest);

        const loaded = new Machine(config, new AllocDb(config, OTHER_SEED));
        const onLoaded = stepper.forkOnto(loaded);
        const drain = new Drain(machine);
        const answers = after.map((step, index) => {
          const answer = stepper.apply(step);
          for (let i = pace[index % pace.length]; i > 0; i--) drain.read(extra[index % extra.length]);
          return answer;
        });
        while (!drain.isDone) drain.read(extra[0]);
        drain.reader.end();

        for (const section of SNAPSHOT_ORDER) {
          expect(sectionWords(drain.blocks, section)).toEqual(sectionWords(atOnce.blocks, section));
        }
        expect(bigintOfU128(drain.reader.digest.lanes, 0)).toBe(digest);
        const {counts, position} = drain.reader;
        const records = SNAPSHOT_ORDER.map(section =>
          drain.blocks.reduce((sum, block) => sum + (block.section === section ? block.records : 0), 0),
        );
        expect(records).toEqual([counts.operations, counts.resources, counts.reservations]);

        expect(loadInto(loaded.db, {position, blocks: drain.blocks, digest})).toEqual({problem: null, digest});
        expect(loaded.digest()).toBe(digest);
        loaded.expectSound();
        for (const [index, step] of after.entries()) expect(onLoaded.apply(step)).toEqual(answers[index]);
        loaded.expectSound();
        machine.expectSound();
        expect(loaded.digest()).toBe(machine.digest());
      }),
      {numRuns: 250},
    );
  });

  test('at every lsn of a run gives back the state of that lsn', () => {
    fc.assert(
      fc.property(configs, steps(120), (config, run) => {
        const machine = new Machine(config);
        const stepper = new Stepper(machine);
        for (const step of run) {
          stepper.apply(step);
          const snapshot = takeSnapshot(machine.db);
          const db = new AllocDb(config, OTHER_SEED);
          expect(loadInto(db, snapshot)).toEqual({problem: null, digest: snapshot.digest});
          const copy = new Machine(config, db);
          expect(copy.digest()).toBe(snapshot.digest);
          copy.expectSound();
        }
        expect(machine.replayed().digest()).toBe(machine.digest());
      }),
      {numRuns: 12},
    );
  });
});

describe('a snapshot', () => {
  test('of an empty state loads as an empty state', () => {
    const machine = new Machine();
    const snapshot = takeSnapshot(machine.db);
    expect(snapshot.blocks).toEqual([]);
    const copy = new Machine();
    expect(loadInto(copy.db, snapshot)).toEqual({problem: null, digest: machine.digest()});
    expect(copy.db.isEmpty).toBe(true);
    expect(copy.db.hasSlot).toBe(false);
  });

  test('excludes a second one until it has ended', () => {
    const machine = new Machine();
    const reader = new SnapshotReader(machine.db);
    expect(() => new SnapshotReader(machine.db)).toThrow('no other snapshot is being read');
    reader.end();
    expect(() => new SnapshotReader(machine.db).end()).not.toThrow();
  });

  test('must be given room for its largest record, or a section would seem to be at its end', () => {
    const reader = new SnapshotReader(new Machine().db);
    const room = new Int32Array(reader.recordWordsMax - 1);
    expect(() => reader.read(SNAPSHOT_ORDER[0], room)).toThrow('there is room for the largest record');
  });
});
