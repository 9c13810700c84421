// Checks the repository against its own rules: what the compiler and the linter cannot say, such as which package may
// import what. Prints one line a finding and exits with 1 if there is any. `--rules` lists the rules instead.
// The rules' data and exceptions are in repo_rules.ts.
import {dirname} from 'node:path';
import {fileURLToPath} from 'node:url';
import {loadRepo} from './repo/load.ts';
import {RULES, render, runRules} from './repo/run.ts';

function main(args: readonly string[]): number {
  if (args.includes('--rules')) {
    for (const rule of RULES) console.log(`${rule.name.padEnd(16)}  ${rule.about}`);
    return 0;
  }
  const repo = loadRepo(dirname(dirname(fileURLToPath(import.meta.url))));
  const findings = runRules(repo);
  for (const found of findings) console.log(render(found));
  console.log(`check_repo: ${repo.files.length} files, ${RULES.length} rules, ${findings.length} findings`);
  return findings.length === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
