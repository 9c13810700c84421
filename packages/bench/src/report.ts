/**
 * Tables, as text for people and as JSON for programs, from one description: a column has a kind, a cell has a value,
 * and both forms are made from them. Text is aligned, plain and without color, fit for a document or a log.
 *
 * A spread is printed as its median with the smallest and largest run behind it; in JSON all runs are there.
 */
import type {Machine} from './machine.ts';
import type {ScenarioReport} from './scenario.ts';
import type {Spread} from './stats.ts';

/**
 * How a column's values are written: words, whole numbers, per second, quotients, percent, microseconds, seconds, bytes
 * with a unit, and bytes of a single thing, which are few and may be parts of one.
 */
export type ColumnKind = 'text' | 'count' | 'rate' | 'ratio' | 'percent' | 'micros' | 'seconds' | 'bytes' | 'bytesEach';

/** A column of a table. */
export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
}

/** A value of a table; null where there is none. */
export type Cell = string | number | bigint | Spread | null;

/** Rows under named columns. */
export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** One scenario's report under its name. */
export interface NamedReport {
  readonly scenario: string;
  readonly report: ScenarioReport;
}

/** Whether a cell holds repeated runs. */
export function isSpread(cell: Cell): cell is Spread {
  return typeof cell === 'object' && cell !== null;
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Three significant digits with a unit, so that no figure pretends to more. */
function scaled(value: number, units: readonly string[], step: number): string {
  let [rest, unit] = [value, 0];
  while (Math.abs(rest) >= step && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  const digits = Math.abs(rest) >= 100 ? 0 : Math.abs(rest) >= 10 ? 1 : 2;
  return `${rest.toFixed(unit === 0 ? 0 : digits)}${units[unit] ?? ''}`;
}

/** One number as its column writes it. */
export function formatNumber(value: number | bigint, kind: ColumnKind): string {
  if (kind === 'count' || kind === 'text') return grouped(String(value));
  const number = Number(value);
  if (!Number.isFinite(number)) return '-';
  if (kind === 'rate') return scaled(number, ['', ' k', ' M'], 1000);
  if (kind === 'bytes') return scaled(number, [' B', ' KiB', ' MiB', ' GiB'], 1024);
  if (kind === 'micros') return number.toFixed(Math.abs(number) < 10 ? 1 : 0);
  if (kind === 'bytesEach') return number.toFixed(Math.abs(number) < 10 ? 3 : 1);
  if (kind === 'seconds') return number.toFixed(Math.abs(number) < 10 ? 3 : 1);
  if (kind === 'percent') return `${Math.round(number)} %`;
  return number.toFixed(2);
}

/** A cell as its column writes it. */
export function formatCell(cell: Cell, kind: ColumnKind): string {
  if (cell === null) return '-';
  if (typeof cell === 'string') return cell;
  if (!isSpread(cell)) return formatNumber(cell, kind);
  const median = formatNumber(cell.median, kind);
  if (cell.runs.length === 1) return median;
  return `${median} (${formatNumber(cell.min, kind)}..${formatNumber(cell.max, kind)})`;
}

/** A table as aligned lines: words to the left, numbers to the right. */
export function formatTable(table: Table): string[] {
  const {columns} = table;
  const cells = table.rows.map(row => columns.map((column, i) => formatCell(row[i] ?? null, column.kind)));
  const widths = columns.map((column, i) => Math.max(column.name.length, ...cells.map(row => row[i]?.length ?? 0)));
  const line = (texts: readonly string[]): string =>
    columns
      .map(({kind}, i) => {
        const [text, width] = [texts[i] ?? '', widths[i] ?? 0];
        return kind === 'text' ? text.padEnd(width) : text.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return [
    table.title,
    line(columns.map(({name}) => name)),
    line(widths.map(width => '-'.repeat(width))),
    ...cells.map(line),
  ];
}

/** A scenario's report as lines. */
export function formatReport({scenario, report}: NamedReport): string[] {
  const lines = [`== ${scenario} ==`, ''];
  for (const table of report.tables) lines.push(...formatTable(table), '');
  lines.push(...report.notes.map(note => `note: ${note}`));
  lines.push(...report.failures.map(failure => `FAILED: ${failure}`));
  return lines;
}

/** Everything that was found, for a program: spreads with all runs, 64-bit numbers as strings. */
export function reportsToJson(machine: Machine, command: string, reports: readonly NamedReport[]): string {
  const content = {
    machine,
    command,
    scenarios: reports.map(({scenario, report}) => ({
      name: scenario,
      tables: report.tables.map(({title, columns, rows}) => ({
        title,
        columns,
        rows: rows.map(row => Object.fromEntries(columns.map(({name}, i) => [name, row[i] ?? null]))),
      })),
      notes: report.notes,
      failures: report.failures,
    })),
  };
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
  return `${JSON.stringify(content, plain, 2)}\n`;
}
