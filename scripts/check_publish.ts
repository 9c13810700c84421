/**
 * Checks what would be published of each package, as it would be packed: manifest, exports, types and files agree, and
 * nothing is missing. The judgement is publint's; this file finds the packages and says the result in one line.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {publint} from 'publint';
import {formatMessage} from 'publint/utils';

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'packages');
let checked = 0;
let findings = 0;
for (const name of readdirSync(packages)) {
  const pkgDir = join(packages, name);
  const manifest = JSON.parse(readFileSync(join(pkgDir, 'package.json'), 'utf8')) as Record<string, unknown>;
  if (manifest['private'] === true) continue;
  checked++;
  const {messages} = await publint({pkgDir, strict: true});
  for (const message of messages) {
    findings++;
    console.log(`packages/${name}  ${formatMessage(message, manifest, {color: false}) ?? message.code}`);
  }
}
console.log(`check_publish: ${checked} packages, ${findings} findings`);
process.exitCode = findings === 0 ? 0 : 1;
