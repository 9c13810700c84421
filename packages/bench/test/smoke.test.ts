/**
 * Every speed scenario from end to end with the smallest budgets, the servers as real processes from sources. Nothing is
 * asserted about durations: only that the scenario runs, finds every answer as expected, and reports figures.
 */
import {mkdirSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {startServer} from '../src/child_server.ts';
import {probeDisk} from '../src/disk_probe.ts';
import {ReferenceTable, referenceGetsPerSecond} from '../src/reference_table.ts';
import {type Cell, isSpread, type Table} from '../src/report.ts';
import {CORE} from '../src/scenarios/core.ts';
import {TCP} from '../src/scenarios/tcp.ts';
import {tinyOptions} from './options.ts';

function rowsOf(tables: readonly Table[]): Table['rows'] {
  return tables[0]?.rows ?? [];
}

function medianOf(cell: Cell | undefined): number {
  return cell !== undefined && isSpread(cell) ? cell.median : Number.NaN;
}

test('core measures commands beside the reference table, heap, and memory beside the formula', async () => {
  const report = await CORE.run(tinyOptions({resources: [1000, 3000]}));
  expect(report.failures).toEqual([]);
  const rows = rowsOf(report.tables);
  expect(rows.map(row => row[0])).toEqual([1000, 3000]);
  for (const row of rows) expect(medianOf(row[1])).toBeGreaterThan(0);
  const [, stages, heap, memory] = report.tables;
  expect(stages?.rows.map(([resources]) => resources)).toEqual([1000, 3000]);
  for (const row of stages?.rows ?? []) expect(Number(row.at(-1))).toBeGreaterThan(0);
  expect(heap?.rows[0]?.[0]).toBe(100_000);
  for (const [what, measured, , target] of memory?.rows ?? []) {
    expect(Number(measured), String(what)).toBeGreaterThan(0);
    expect(Number(measured), String(what)).toBeLessThanOrEqual(Number(target) + 0.05);
  }
  expect(memory?.rows).toHaveLength(8);
});

test('every shape is measured by tcp, batches too', async () => {
  const options = tinyOptions({shapes: [{connections: 2, outstanding: 2, batch: 8}]});
  const report = await TCP.run(options);
  expect(report.failures).toEqual([]);
  const [row] = rowsOf(report.tables);
  expect(row?.[0]).toBe('2x2b8');
  for (const cell of row?.slice(1, 4) ?? []) expect(medianOf(cell)).toBeGreaterThan(0);
});

test('tcp measures database and echo with the same client and leaves nothing behind', async () => {
  const options = tinyOptions({shapes: [{connections: 2, outstanding: 16}]});
  const report = await TCP.run(options);
  expect(report.failures).toEqual([]);
  const [row] = rowsOf(report.tables);
  expect(row?.[0]).toBe('2x16');
  for (const cell of row?.slice(1, 4) ?? []) expect(medianOf(cell)).toBeGreaterThan(0);
  expect(readdirSync(options.dir)).toEqual([]);
});

test('a server that cannot start is an error with its own words', async () => {
  const {dir} = tinyOptions();
  mkdirSync(join(dir, 'x'));
  await expect(startServer('no_such_program.js', [dir])).rejects.toThrow(/before it listened[\s\S]*no_such_program/);
});

test('the disk is probed and the probe leaves nothing behind', () => {
  const {dir} = tinyOptions();
  const probe = probeDisk(dir, 1);
  expect(probe.syncs).toBeGreaterThanOrEqual(10);
  expect(probe.p99Micros).toBeGreaterThanOrEqual(probe.p50Micros);
  expect(readdirSync(dir)).toEqual([]);
});

test('the reference table finds what was put into it and nothing else', () => {
  const table = new ReferenceTable(100);
  for (let i = 0; i < 100; i++) table.put(i, 0, 0, i % 3, i);
  for (let i = 0; i < 100; i++) {
    expect(table.get(i, 0, 0, i % 3)).toBe(i);
    expect(table.get(i, 1, 0, i % 3)).toBe(-1);
  }
  expect(referenceGetsPerSecond(1000, 1)).toBeGreaterThan(0);
});
