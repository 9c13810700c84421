/**
 * Children that end with their parent, by whatever cause it dies: a parent that is killed at once tells nobody. The system
 * does it where `setpriv` knows how; a program of our own sees its standard input end as well.
 *
 * Not here: ending children in order, and at once while the parent lives.
 */
import {spawnSync} from 'node:child_process';

let canBind: boolean | null = null;

/** Whether the `setpriv` on PATH binds a process to its parent; some know the name alone. Asked once. */
export function bindsToParent(): boolean {
  canBind ??= probeSetpriv();
  return canBind;
}

/** {@link bindsToParent}, asked again; of the PATH that is given. */
export function probeSetpriv(path: string = process.env['PATH'] ?? ''): boolean {
  const {status} = spawnSync('setpriv', ['--pdeathsig', 'KILL', process.execPath, '--version'], {
    stdio: 'ignore',
    env: {...process.env, PATH: path},
  });
  return status === 0;
}

/** The command, and before its arguments whatever has the system send it `signal` when this process dies. */
export function endingWithParent(
  program: string,
  args: readonly string[],
  signal: NodeJS.Signals = 'SIGKILL',
): readonly [program: string, args: string[]] {
  if (!bindsToParent()) return [program, [...args]];
  return ['setpriv', ['--pdeathsig', signal.slice('SIG'.length), program, ...args]];
}

/** Ends this process when its standard input does, which its parent holds open as long as it lives. */
export function endWithStandardInput(): void {
  process.stdin.resume();
  for (const event of ['end', 'error'] as const) process.stdin.once(event, () => process.exit(1));
}
