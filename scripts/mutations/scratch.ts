// A scratch copy of the repository to break things in: every file that git tracks or would, as it is on disk now, with
// the installed packages linked in. Workspace packages are linked to the copy's own, so that a mutation in one package is
// seen by all of them. The repository itself is only read.
import {spawnSync} from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

const WORKSPACE_SCOPE = '@allocdb';

export class Scratch {
  readonly dir: string;

  constructor(root: string) {
    this.dir = mkdtempSync(join(tmpdir(), 'mutate-'));
    for (const path of listFiles(root)) copy(join(root, path), join(this.dir, path));
    symlinkSync(join(root, 'node_modules'), join(this.dir, 'node_modules'));
    for (const name of readdirSync(join(root, 'packages'))) this.#linkModules(root, name);
  }

  read(path: string): string {
    return readFileSync(join(this.dir, path), 'utf8');
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.dir, path), text);
  }

  remove(): void {
    rmSync(this.dir, {recursive: true, force: true});
  }

  #linkModules(root: string, name: string): void {
    const from = join(root, 'packages', name, 'node_modules');
    if (!existsSync(from)) return;
    const to = join(this.dir, 'packages', name, 'node_modules');
    mkdirSync(to, {recursive: true});
    for (const entry of readdirSync(from).filter(one => !one.startsWith('.'))) {
      if (entry === WORKSPACE_SCOPE) this.#linkWorkspace(join(from, entry), join(to, entry));
      else symlinkSync(join(from, entry), join(to, entry));
    }
  }

  #linkWorkspace(from: string, to: string): void {
    mkdirSync(to);
    for (const name of readdirSync(from)) symlinkSync(join(this.dir, 'packages', name), join(to, name));
  }
}

function listFiles(root: string): string[] {
  const args = ['ls-files', '-co', '--exclude-standard', '-z'];
  const {stdout, status} = spawnSync('git', args, {cwd: root, encoding: 'utf8', maxBuffer: 1 << 26});
  if (status !== 0) throw new Error('git ls-files failed');
  return stdout.split('\0').filter(path => path !== '');
}

/** A file that is tracked and gone is not copied. */
function copy(from: string, to: string): void {
  if (!existsSync(from) || !statSync(from).isFile()) return;
  mkdirSync(dirname(to), {recursive: true});
  copyFileSync(from, to);
}
