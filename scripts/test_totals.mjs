// Ends a test run with one plain line, "N passed, N failed", for whoever reads only the last line. Adds up the closing
// lines of every test run in a log; a run that failed before, beside or after its tests counts as a failure, so the
// line never says 0 failed of a run that did. Plain Node, because the install itself may be what failed.
// usage: node scripts/test_totals.mjs LOG EXIT_STATUS
import {readFileSync} from 'node:fs';
import {stripVTControlCharacters} from 'node:util';

const [log, status] = process.argv.slice(2);
const lines = stripVTControlCharacters(readFileSync(log, 'utf8')).split('\n');
const count = (line, word) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);

let passed = 0;
let failed = 0;
let failedFiles = 0;
for (const line of lines) {
  if (/^ *Test Files {2}/.test(line)) failedFiles = count(line, 'failed');
  if (!/^ *Tests {2}/.test(line)) continue;
  passed += count(line, 'passed');
  // A file that does not even load is a failure without a failed test.
  failed += count(line, 'failed') || failedFiles;
  failedFiles = 0;
}

if (status !== '0') {
  failed = Math.max(failed, 1);
  const closing = lines.findLastIndex(line => /^ *Test Files {2}/.test(line));
  if (closing >= 0) console.log(lines.slice(closing, closing + 4).join('\n'));
}
console.log(`${passed} passed, ${failed} failed`);
