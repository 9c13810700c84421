// Runs named tests of a scratch copy and reads from vitest's report which of them passed and failed. A file that does not
// load, or a run that does not end, is trouble and not a failed test: a mutation counts as noticed only where a test ran
// and said so.
import {spawn} from 'node:child_process';
import {existsSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import type {Killer} from './mutation.ts';

const TIMEOUT_MS = 90_000;

export interface NamedResults {
  /** Full names of tests that ran. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** What the run said where there is no report to read, or where a file did not load. */
  readonly trouble: string | null;
}

interface Report {
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly {readonly fullName: string; readonly status: string}[];
  }[];
}

/** Runs the tests of one file whose full name holds one of these. */
export async function runNamed(dir: string, killer: Omit<Killer, 'testName'>, names: string[]): Promise<NamedResults> {
  const reportPath = join(dir, 'mutation_report.json');
  rmSync(reportPath, {force: true});
  const pattern = names.map(escapeRegExp).join('|');
  const output = await run(dir, [
    join('node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...['--project', killer.project, killer.testFile],
    ...['-t', pattern, '--reporter=json', `--outputFile=${reportPath}`],
  ]);
  if (!existsSync(reportPath)) return {passed: [], failed: [], trouble: output.slice(-2000)};
  const report: Report = JSON.parse(readFileSync(reportPath, 'utf8'));
  const all = report.testResults.flatMap(({assertionResults}) => assertionResults);
  const unloaded = report.testResults.find(({assertionResults}) => assertionResults.length === 0);
  return {
    passed: all.filter(({status}) => status === 'passed').map(({fullName}) => fullName),
    failed: all.filter(({status}) => status === 'failed').map(({fullName}) => fullName),
    trouble: unloaded === undefined ? null : (unloaded.message ?? 'a test file did not load'),
  };
}

/** Groups of processes that run now: a test that hangs does so in a process of its own, which outlives its parent. */
const running: Set<number> = new Set();

/** Ends whatever still runs, with all that it has started. */
export function endRuns(): void {
  for (const pid of running) endGroup(pid);
  running.clear();
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function run(cwd: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe']});
    const {pid} = child;
    if (pid !== undefined) running.add(pid);
    let output = '';
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => {
      output += 'the run took too long';
      if (pid !== undefined) endGroup(pid);
    }, TIMEOUT_MS);
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(timer);
      if (pid === undefined) return;
      // Whatever of the group is left hangs, and holds memory.
      endGroup(pid);
      running.delete(pid);
    });
    child.on('close', () => resolve(output));
  });
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
