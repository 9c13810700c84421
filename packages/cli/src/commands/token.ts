/**
 * `allocdb token`: makes a token. The token goes to stdout, for the client; the line for the server's token file, which
 * holds a hash and no token, goes to stderr: `allocdb token shop --role write > shop.token 2>> tokens`. It is shown once.
 */
import {generateToken, ROLES, type Role} from '@allocdb/server';
import {type Command, Option} from 'commander';
import {duration, whole} from '../arguments.ts';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

interface TokenFlags {
  readonly role: Role;
  readonly rate?: number;
  /** Milliseconds from now. */
  readonly expires?: number;
}

const RATE_MAX = 1_000_000_000;
/** A token file has years of four digits. */
const YEARS_9999_MS = Date.UTC(9999, 11, 31);

export function register(program: Command, session: Session): void {
  const command = program
    .command('token')
    .description('make a token: it goes to stdout, its line for the token file to stderr')
    .argument('<name>', 'who it is for, as logs show it: letters, digits, dots, dashes, underscores')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--rate <n>', 'most commands a second', whole(1, RATE_MAX))
    .option('--expires <time>', 'for how long it is good: 12h, 90d', duration)
    .action((name: string, flags: TokenFlags) => makeToken(session, name, flags));
  addExamples(command, session, [
    'token shop --role write > shop.token 2>> tokens',
    'token dashboard --role read --rate 100 --expires 90d --json',
  ]);
}

async function makeToken(session: Session, name: string, {role, rate, expires}: TokenFlags): Promise<void> {
  const {output} = session;
  const {token, hashLine} = generateToken();
  const options = [
    ...(rate === undefined ? [] : [`rate=${rate}`]),
    ...(expires === undefined ? [] : [`expires=${momentIn(expires)}`]),
  ];
  const line = [lineFor(name, role, hashLine), ...options].join(' ');
  output.note(line);
  await output.line({name, role, token, line}, token);
}

function lineFor(name: string, role: Role, hashLine: (name: string, role: Role) => string): string {
  try {
    return hashLine(name, role);
  } catch (error) {
    return fail(EXIT.USAGE, `${JSON.stringify(name)}: ${(error as Error).message}`);
  }
}

function momentIn(ms: number): string {
  const at = Date.now() + ms;
  if (at > YEARS_9999_MS) fail(EXIT.USAGE, '--expires is too far away');
  return new Date(at).toISOString();
}
