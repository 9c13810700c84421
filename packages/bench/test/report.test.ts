/**
 * How figures are written: aligned text, JSON with every run, and a command line that names its mistakes.
 */
import {expect, test} from 'vitest';
import {helpText, parseCommandLine} from '../src/cli.ts';
import {fileSystemOf, machineLine} from '../src/machine.ts';
import {formatNumber, formatReport, reportsToJson, type Table} from '../src/report.ts';
import {shapeText} from '../src/scenario.ts';
import {percentileOf, spreadOf} from '../src/stats.ts';

const TABLE: Table = {
  title: 'Rates',
  columns: [
    {name: 'load', kind: 'text'},
    {name: 'answers/s', kind: 'rate'},
    {name: 'ratio', kind: 'ratio'},
    {name: 'lsn', kind: 'count'},
  ],
  rows: [
    ['1x1', 3912.4, spreadOf([0.9, 0.8, 1]), 12_345n],
    ['16x512', spreadOf([1_520_000]), null, 0],
  ],
};
const MACHINE = {cores: 2, cpu: 'some', memoryGib: 24, node: 'v20.0.0', kernel: 'Linux 6', fileSystem: 'ext4'};
const REPORT = {scenario: 'tcp', report: {tables: [TABLE], notes: ['a note'], failures: ['a count']}};

test('tables are aligned, spreads show their smallest and largest run', () => {
  expect(`\n${formatReport(REPORT).join('\n')}\n`).toMatchInlineSnapshot(`
    "
    == tcp ==

    Rates
    load    answers/s              ratio     lsn
    ------  ---------  -----------------  ------
    1x1        3.91 k  0.90 (0.80..1.00)  12,345
    16x512     1.52 M                  -       0

    note: a note
    FAILED: a count
    "
  `);
});

test('JSON holds all runs and 64-bit numbers as strings', () => {
  const json = JSON.parse(reportsToJson(MACHINE, 'allocdb-bench', [REPORT])) as {
    scenarios: {tables: {rows: object[]}[]}[];
  };
  expect(json).toMatchObject({machine: {cores: 2}, command: 'allocdb-bench'});
  expect(json.scenarios[0]?.tables[0]?.rows[0]).toEqual({
    load: '1x1',
    'answers/s': 3912.4,
    ratio: {median: 0.9, min: 0.8, max: 1, runs: [0.9, 0.8, 1]},
    lsn: '12345',
  });
});

test.each([
  [999, 'rate', '999'],
  [1000, 'rate', '1.00 k'],
  [208_400, 'rate', '208 k'],
  [1_700_000, 'rate', '1.70 M'],
  [25_257_472, 'bytes', '24.1 MiB'],
  [1_234_567, 'count', '1,234,567'],
  [119.6, 'micros', '120'],
  [-4.25, 'micros', '-4.3'],
  [0.7512, 'seconds', '0.751'],
  [61.04, 'seconds', '61.0'],
  [0.0421, 'bytesEach', '0.042'],
  [112, 'bytesEach', '112.0'],
  [84.6, 'percent', '85 %'],
  [Number.NaN, 'ratio', '-'],
] as const)('%d as %s is %s', (value, kind, text) => {
  expect(formatNumber(value, kind)).toBe(text);
});

test('medians of an even number of runs lie between the middle ones', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({median: 2.5, min: 1, max: 4, runs: [4, 1, 3, 2]});
  expect(() => spreadOf([])).toThrow(RangeError);
});

test('percentiles are samples', () => {
  const samples = Float64Array.from({length: 200}, (_, i) => 200 - i);
  expect([percentileOf(samples, 0.5), percentileOf(samples, 0.99), percentileOf(samples, 1)]).toEqual([100, 198, 200]);
});

test('the machine is one line, the file system that of the longest mount point', () => {
  expect(machineLine(MACHINE)).toBe('machine: 2 cores (some), 24 GiB, Node v20.0.0, Linux 6, ext4');
  const mounts = 'a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmp/deep/er xfs rw 0 0\n';
  expect(fileSystemOf('/tmp/deep', mounts)).toBe('tmpfs');
  expect(fileSystemOf('/tmp/deep/er/est', mounts)).toBe('xfs');
  expect(fileSystemOf('/tmpfoo', mounts)).toBe('ext4');
  expect(fileSystemOf('/x', '')).toBe('unknown');
});

test('the command line has defaults, and hands on what was said', () => {
  const line = parseCommandLine(['--scenario', 'core', '--seconds', '0.5', '--load', '2x8', '--resources', '5000']);
  expect(line).toMatchObject({seconds: 0.5, repeat: 3, shapes: [{connections: 2, outstanding: 8}], resources: [5000]});
  expect(line.scenarios.map(({name}) => name)).toEqual(['core']);
  expect(parseCommandLine(['--']).scenarios.length).toBeGreaterThanOrEqual(4);
});

test('large scenarios run when they are named, or with all', () => {
  const namesOf = (args: string[]): string[] => parseCommandLine(args).scenarios.map(({name}) => name);
  const large = ['latency', 'recovery', 'checkpoint'];
  expect(namesOf([]).filter(name => large.includes(name))).toEqual([]);
  expect(namesOf(['--all'])).toEqual(expect.arrayContaining([...namesOf([]), ...large]));
  expect(namesOf(['--scenario', 'recovery'])).toEqual(['recovery']);
});

test('the full lists are measured where no list is given', () => {
  const short = parseCommandLine([]);
  const full = parseCommandLine(['--full', '--outstanding', '7']);
  expect(full.shapes.length).toBeGreaterThan(short.shapes.length);
  expect(full.shapes).toContainEqual({connections: 16, outstanding: 1, batch: 256});
  expect(full.outstanding).toEqual([7]);
  expect(full.shapes.map(shapeText)).toContain('16x1b256');
  expect(short).toMatchObject({rate: null, scale: 1});
});

test.each([
  [['--scenario', 'nothing'], /--scenario is one of hot-spot, .*got nothing/],
  [['--seconds', '0'], /--seconds must be a number from/],
  [['--repeat', '1.5'], /--repeat must be a whole number/],
  [['--load', '64'], /--load must be like/],
  [['--load', '1x64b0'], /--load must be like/],
  [['--outstanding', '0'], /--outstanding must be a number from 1/],
  [['--rate', 'fast'], /--rate must be a number from/],
  [['--scale', '0'], /--scale must be a number from/],
  [['--resources', '10'], /--resources must be a number from/],
  [['--nonsense'], /--nonsense/],
])('%j is refused', (args, message) => {
  expect(() => parseCommandLine(args)).toThrow(message);
});

test('the help lists every scenario', () => {
  for (const name of ['hot-spot', 'retry-window', 'core', 'engine', 'tcp', 'latency', 'recovery', 'checkpoint'])
    expect(helpText()).toContain(`  ${name}`);
});
