/**
 * The survey of a damaged log: what is intact is shown whole and in order, what is damaged is named and never shown, and
 * nothing that is found makes it throw.
 */

import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {type SurveyEntry, type SurveyOptions, surveyWal, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {SimRandom} from '../src/testing/sim_random.ts';
import {HEADER_BYTES} from './campaign/log_bytes.ts';
import {append, commitFrame, DIR, damage, errorOf, openSmall, segmentNames} from './support.ts';

/** In the header of a segment: without it no frame of the segment can be told. */
const SALT_OFFSET = 48;

type Of<Kind extends SurveyEntry['kind']> = Extract<SurveyEntry, {kind: Kind}>;

class Surveyed {
  readonly entries: readonly SurveyEntry[];

  constructor(disk: SimDisk, options: Partial<SurveyOptions> = {}) {
    this.entries = [...surveyWal({dir: DIR, io: disk, records: true, ...options})];
  }

  of<Kind extends SurveyEntry['kind']>(kind: Kind): Of<Kind>[] {
    return this.entries.filter((entry): entry is Of<Kind> => entry.kind === kind);
  }

  /** Every record that is shown, by lsn: all that a reader would take for sound. */
  get records(): Map<bigint, string> {
    const entries = this.of('record').map(({record}) => {
      const {lsn, type, note, stamp, required, payload} = record;
      return [lsn, [type, note, stamp, required, Buffer.from(payload).toString('hex')].join(' ')] as const;
    });
    const shown = new Map(entries);
    if (shown.size !== entries.length) throw new Error('an lsn is shown twice');
    return shown;
  }

  get problems(): string[] {
    return [...this.of('segment'), ...this.of('frame')].flatMap(({problem}) => (problem === null ? [] : [problem]));
  }

  get end(): Of<'end'> {
    const last = this.entries.at(-1);
    if (last?.kind !== 'end') throw new Error('the last entry is the end');
    return last;
  }
}

/** Records that are shown and are not what was written. */
function wrongRecords(shown: Surveyed, written: ReadonlyMap<bigint, string>): bigint[] {
  return [...shown.records].flatMap(([lsn, text]) => (text === written.get(lsn) ? [] : [lsn]));
}

/** Several segments of frames of several sizes, with markers between them. */
function written(frames: number, close: (wal: Wal) => void = wal => wal.closeSync()): SimDisk {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  for (let frame = 0; frame < frames; frame++) {
    commitFrame(wal, 1 + (frame % 4), 40 + ((frame * 97) % 700));
    if (frame % 7 === 3) wal.markIdle();
    if (frame % 11 === 5) wal.writeSnapshotMarkerSync(frame, 0, new Uint8Array(16).fill(frame));
  }
  close(wal);
  return disk;
}

function pathOf(disk: SimDisk, index: number): string {
  return `${DIR}/${segmentNames(disk).at(index)}`;
}

describe('of a sound log', () => {
  test('everything is shown once, without a problem, and the end is what opening finds', () => {
    const disk = written(60);
    const shown = new Surveyed(disk);
    expect(shown.problems).toEqual([]);
    expect(shown.of('missing')).toEqual([]);
    expect(shown.of('unreadable')).toEqual([]);
    expect([...shown.records.keys()]).toEqual(Array.from(shown.records, (_, i) => BigInt(i + 1)));
    expect(shown.records.size).toBe(150);
    expect(shown.of('segment').map(({name}) => name)).toEqual(segmentNames(disk));
    expect(shown.of('frame').some(({marker}) => marker?.lsn === 5n)).toBe(true);
    expect(shown.end.recovery).toMatchObject({ending: 'clean', lastLsn: 150n, cutBytes: 0});
  });

  test('from and to choose lsns, and whole segments before them are not read', () => {
    const disk = written(60);
    const all = new Surveyed(disk);
    for (const [from, to] of [
      [1n, 3n],
      [70n, 77n],
      [149n, 400n],
    ] as const) {
      const part = new Surveyed(disk, {from, to});
      expect([...part.records]).toEqual([...all.records].filter(([lsn]) => lsn >= from && lsn <= to));
      expect(part.problems).toEqual([]);
    }
    expect(new Surveyed(disk, {from: 140n}).of('segment').length).toBeLessThan(3);
    expect(new Surveyed(disk, {from: 9n, to: 9n}).of('segment')).toHaveLength(1);
  });

  test('what a recycled file held before is no frame', () => {
    const disk = new SimDisk();
    const wal = openSmall(disk);
    const roll = (): void => {
      const {rolls} = wal.metrics;
      while (wal.metrics.rolls === rolls) {
        for (let i = 0; i < 3; i++) append(wal, 600);
        wal.commitSync();
        wal.prepareStep(16_384);
      }
    };
    for (let i = 0; i < 8; i++) {
      roll();
      wal.truncateBefore(wal.durableLsn - 3n);
    }
    commitFrame(wal, 2);
    wal.closeSync();
    const shown = new Surveyed(disk);
    expect(shown.of('segment').some(({isRecycled}) => isRecycled)).toBe(true);
    expect(shown.problems).toEqual([]);
    expect(shown.of('missing')).toEqual([]);
    expect(shown.of('unreadable').every(({why}) => why.includes('earlier life'))).toBe(true);
    expect([...shown.records.keys()].at(-1)).toBe(shown.end.recovery?.lastLsn);
  });

  test('a directory without segments has an end, and none at all is refused', () => {
    const disk = new SimDisk();
    disk.makeDir(DIR);
    expect(new Surveyed(disk).end.recovery).toMatchObject({ending: 'fresh'});
    expect(errorOf(() => new Surveyed(new SimDisk())).code).toBe('io');
  });
});

describe('of a damaged log', () => {
  test('a flipped bit hides the frame that it is in and no other, unless it is in the salt of a segment', () => {
    const disk = written(60);
    const sound = new Surveyed(disk);
    const random = new SimRandom(5);
    const names = segmentNames(disk);
    const sizes = names.map(name => disk.contentOf(`${DIR}/${name}`).length);
    const {records} = sound;
    for (let run = 0; run < 1500; run++) {
      const index = random.below(names.length);
      const name = names[index] as string;
      const path = `${DIR}/${name}`;
      const byte = random.below(random.chance(0.2) ? HEADER_BYTES : (sizes[index] ?? 0));
      const bit = random.below(8);
      disk.flipBit(path, byte, bit);
      const shown = new Surveyed(disk);
      disk.flipBit(path, byte, bit);
      const hidden = records.size - shown.records.size;
      expect(wrongRecords(shown, records)).toEqual([]);
      const frame = sound
        .of('frame')
        .find(({segment, offset, bytes}) => segment === name && byte >= offset && byte < offset + bytes);
      const inSegment = sound.of('record').filter(({segment}) => segment === name);
      const isSalt = byte >= SALT_OFFSET && byte < SALT_OFFSET + 4;
      if (byte < HEADER_BYTES) expect([byte, hidden]).toEqual([byte, isSalt ? inSegment.length : 0]);
      else expect(hidden).toBe(frame?.frame === 'data' ? frame.records : 0);
      const isNamed = shown.problems.length + shown.of('unreadable').length > 0;
      expect([name, byte, bit, isNamed]).toEqual([name, byte, bit, true]);
    }
  });

  test('records behind a damaged frame are shown, and which lsns are gone is said', () => {
    const disk = written(30);
    const frames = new Surveyed(disk).of('frame').filter(({frame}) => frame === 'data');
    const lost = frames[9] as Of<'frame'>;
    damage(disk, lost.segment, content => content.fill(7, lost.offset, lost.offset + lost.bytes));
    const shown = new Surveyed(disk);
    const to = lost.lsn + BigInt(lost.records) - 1n;
    expect(shown.of('missing')).toEqual([{kind: 'missing', segment: lost.segment, from: lost.lsn, to}]);
    expect(shown.of('unreadable')).toMatchObject([{offset: lost.offset, bytes: lost.bytes}]);
    expect(shown.records.has(to + 1n)).toBe(true);
    expect(shown.end.error?.code).toBe('corruption');
  });

  test('a frame whose records are damaged says where it ends, so that nothing in it is taken for a frame', () => {
    const disk = written(30);
    const frame = new Surveyed(disk).of('frame').find(({bytes}) => bytes > 1024) as Of<'frame'>;
    damage(disk, frame.segment, content => content.fill(3, frame.offset + 600, frame.offset + 700));
    const shown = new Surveyed(disk);
    expect(shown.problems).toEqual(['its records fail their checksum']);
    expect(shown.of('unreadable')).toEqual([]);
    expect(shown.of('missing')).toEqual([]);
  });

  test('a segment that is gone, cut, exchanged or of another log is named, and the next one is shown', () => {
    const disk = written(60);
    const all = new Surveyed(disk).records;
    const gone = disk.fork();
    gone.unlink(pathOf(gone, 1));
    const [missing] = new Surveyed(gone).of('missing');
    expect(missing).toBeDefined();
    expect(new Surveyed(gone).records.size).toBe(all.size - Number((missing?.to ?? 0n) - (missing?.from ?? 0n)) - 1);
    const cut = disk.fork();
    cut.replaceContent(pathOf(cut, 1), cut.contentOf(pathOf(cut, 1)).slice(0, HEADER_BYTES + 700));
    expect(new Surveyed(cut).of('unreadable').at(-1)?.why).toMatch(/within a block/);
    cut.replaceContent(pathOf(cut, 1), new Uint8Array(100));
    expect(new Surveyed(cut).problems).toEqual(['the file is shorter than its header']);
    const exchanged = disk.fork();
    exchanged.replaceContent(pathOf(exchanged, 1), disk.contentOf(pathOf(disk, 0)));
    const twice = new Surveyed(exchanged);
    expect(twice.problems.slice(0, 2)).toEqual([
      'its header says that it begins at lsn 1',
      expect.stringMatching(/^it belongs before lsn 1,/),
    ]);
    const other = written(60);
    const foreign = disk.fork();
    damage(other, segmentNames(other).at(1) as string, content => content.set([1, 2, 3], 16));
    foreign.replaceContent(pathOf(foreign, 1), new Uint8Array(16_384));
    expect(new Surveyed(foreign).problems).toEqual(['its header is blank']);
    for (const shown of [new Surveyed(gone), new Surveyed(cut), twice, new Surveyed(foreign)]) {
      expect(shown.records.get(BigInt(all.size))).toBe(all.get(BigInt(all.size)));
      expect(wrongRecords(shown, all)).toEqual([]);
    }
  });

  test('a frame of another history of the same log is not taken for one of this', () => {
    const base = new SimDisk();
    const wal = openSmall(base);
    commitFrame(wal, 1);
    wal.abandon();
    const [left, right] = [base.fork(1), base.fork(2)];
    for (const [disk, salt] of [
      [left, 1],
      [right, 2],
    ] as const) {
      const open = openSmall(disk);
      for (let i = 0; i < 3; i++) {
        append(open, 100, salt);
        open.commitSync();
      }
      open.abandon();
    }
    const name = segmentNames(left)[0] as string;
    const foreign = right.contentOf(`${DIR}/${name}`).subarray(HEADER_BYTES + 1024, HEADER_BYTES + 1536);
    damage(left, name, content => content.set(foreign, HEADER_BYTES + 1024));
    const shown = new Surveyed(left);
    expect(shown.problems[0]).toBe('it follows another frame than the one before it');
    expect(shown.records.has(3n)).toBe(false);
  });

  test('an unfinished write is named by the end', () => {
    const disk = written(10, wal => {
      commitFrame(wal, 1, 900);
      wal.abandon();
    });
    const name = segmentNames(disk).at(-1) as string;
    const last = new Surveyed(disk).of('frame').at(-1) as Of<'frame'>;
    damage(disk, name, content => content.fill(0, last.offset + 512, last.offset + last.bytes));
    const shown = new Surveyed(disk);
    expect(shown.problems).toEqual(['its records fail their checksum']);
    expect(shown.end.recovery).toMatchObject({ending: 'torn', cutBytes: 512, lastLsn: last.lsn - 1n});
  });

  test('whatever bytes stand in place of a segment, only what was written is shown', () => {
    const base = written(40);
    const all = new Surveyed(base).records;
    const names = segmentNames(base);
    const originals = names.map(name => base.contentOf(`${DIR}/${name}`));
    const edit = fc.record({
      segment: fc.nat({max: names.length - 1}),
      kind: fc.constantFrom('bytes', 'zeros', 'copy', 'cut', 'swap'),
      at: fc.nat({max: 16_383}),
      other: fc.nat({max: 16_383}),
      bytes: fc.uint8Array({minLength: 1, maxLength: 900}),
    });
    let shownInAll = 0;
    fc.assert(
      fc.property(fc.array(edit, {minLength: 1, maxLength: 4}), edits => {
        const contents = originals.map(content => content.slice());
        for (const {segment, kind, at, other, bytes} of edits) {
          const content = contents[segment] ?? new Uint8Array(0);
          const start = Math.min(at, Math.max(0, content.length - bytes.length));
          if (kind === 'bytes' && content.length >= bytes.length) content.set(bytes, start);
          else if (kind === 'zeros') content.fill(0, start, start + bytes.length);
          else if (kind === 'copy') content.copyWithin(at & -512, other & -512, (other & -512) + 1024);
          else if (kind === 'cut') contents[segment] = content.slice(0, at);
          else contents[segment] = originals[(segment + 1) % originals.length]?.slice() ?? content;
        }
        const disk = base.fork();
        for (const [i, name] of names.entries())
          disk.replaceContent(`${DIR}/${name}`, contents[i] ?? new Uint8Array(0));
        const shown = new Surveyed(disk);
        expect(wrongRecords(shown, all)).toEqual([]);
        shownInAll += shown.records.size;
      }),
      {numRuns: 300},
    );
    expect(shownInAll).toBeGreaterThan(1000);
  });

  test('a segment that cannot be read is an entry too', () => {
    const disk = written(60);
    const all = new Surveyed(disk).records;
    let hidden = 0;
    for (let call = 1; call < 14; call++) {
      const failing = disk.fork(call);
      failing.arm({call, kind: 'EIO'});
      if (call === 1) {
        expect(errorOf(() => new Surveyed(failing)).code).toBe('io');
        continue;
      }
      const shown = new Surveyed(failing);
      expect(wrongRecords(shown, all)).toEqual([]);
      if (shown.records.size < all.size) hidden++;
    }
    expect(hidden).toBeGreaterThan(3);
  });
});
