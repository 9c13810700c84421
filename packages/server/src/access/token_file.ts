/**
 * The token file as text: one entry a line, `#` begins a comment.
 *
 *     <name> <role> sha256:<64 hex digits> [rate=<commands a second>] [expires=<ISO 8601, UTC>]
 *     <name> <role> cert:<common name>     [rate=…] [expires=…]
 *
 * Everything that is wrong is said at once, by line number. What stands in a line is never repeated: somebody will put a
 * token where its hash belongs, and the message goes to a log. Not here: reading the file, and who may do what.
 */
import {type Role, roleNamed} from './roles.ts';

/** How an entry is proven: by a token, or by a certificate that the client CA has signed. */
export type Proof =
  | {readonly kind: 'token'; readonly sha256: Buffer}
  | {readonly kind: 'certificate'; readonly commonName: string};

/** One line of a token file. */
export interface Entry {
  readonly name: string;
  readonly role: Role;
  readonly proof: Proof;
  /** Commands a second; null without a bound. */
  readonly rate: number | null;
  /** Milliseconds of UTC from which on it is not accepted; null when it never ends. */
  readonly expiresAtMs: number | null;
}

/** What a file says, or what is wrong with it, a line each; then `entries` is empty. */
export interface TokenFile {
  readonly entries: readonly Entry[];
  readonly problems: readonly string[];
}

const RATE_MAX = 1_000_000_000;
const FORM = 'expected <name> <role> sha256:<64 hex digits>, or cert:<common name> in the third place';

/** True for a name of an entry: it stands in logs and messages, so it is short and plain. */
export function isEntryName(name: string): boolean {
  return /^[\w.-]{1,64}$/.test(name);
}

/** Reads the text of a token file. */
export function parseTokenFile(text: string): TokenFile {
  const entries: Entry[] = [];
  const problems: string[] = [];
  const lineOf = new Map<string, number>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.replace(/(?:^|\s)#.*$/, '').trim();
    if (content === '') continue;
    const lineNumber = index + 1;
    const entry = parseEntry(content);
    const found = typeof entry === 'string' ? [entry] : duplicatesOf(entry, lineNumber, lineOf);
    for (const problem of found) problems.push(`line ${lineNumber}: ${problem}`);
    if (typeof entry !== 'string') entries.push(entry);
  }
  return problems.length > 0 ? {entries: [], problems} : {entries, problems};
}

/** The entry of a line, or what is wrong with it. */
function parseEntry(line: string): Entry | string {
  const fields = line.split(/\s+/);
  const [name, roleName, proofText, ...rest] = fields;
  if (name === undefined || roleName === undefined || proofText === undefined) return FORM;
  if (!isEntryName(name)) return 'a name has 1 to 64 letters, digits, dots, dashes or underscores';
  const role = roleNamed(roleName);
  if (role === null) return 'the role is read, write or operate';
  // A common name may have blanks; options come behind it.
  const isOption = (field: string): boolean => /^\w+=/.test(field);
  const optionsAt = rest.findLastIndex(field => !isOption(field)) + 1;
  const proof = parseProof([proofText, ...rest.slice(0, optionsAt)].join(' '));
  if (typeof proof === 'string') return proof;
  const options = parseOptions(rest.slice(optionsAt));
  return typeof options === 'string' ? options : {name, role, proof, ...options};
}

function parseProof(text: string): Proof | string {
  if (text.startsWith('cert:')) {
    const commonName = text.slice('cert:'.length);
    return commonName === '' ? 'cert: needs a common name' : {kind: 'certificate', commonName};
  }
  if (!text.startsWith('sha256:')) return FORM;
  const hex = text.slice('sha256:'.length);
  if (!/^[0-9a-f]{64}$/i.test(hex)) return 'sha256: needs 64 hex digits, and only rate= and expires= behind them';
  return {kind: 'token', sha256: Buffer.from(hex, 'hex')};
}

function parseOptions(fields: readonly string[]): Pick<Entry, 'rate' | 'expiresAtMs'> | string {
  let rate: number | null = null;
  let expiresAtMs: number | null = null;
  for (const field of fields) {
    const [option, value = ''] = field.split('=', 2);
    if (option === 'rate' && rate === null) {
      rate = /^\d{1,10}$/.test(value) ? Number(value) : 0;
      if (rate < 1 || rate > RATE_MAX) return `rate= is a whole number of commands a second, from 1 to ${RATE_MAX}`;
    } else if (option === 'expires' && expiresAtMs === null) {
      expiresAtMs = utcMs(value);
      if (expiresAtMs === null) return 'expires= is a moment in UTC such as 2031-12-31T23:59:59Z';
    } else return 'behind the hash or common name stand rate= and expires=, each at most once';
  }
  return {rate, expiresAtMs};
}

function utcMs(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(text)) return null;
  const ms = Date.parse(text);
  // The 31st of a shorter month is read as the first of the next one.
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== text.slice(0, 19) ? null : ms;
}

/** Which of an entry's names and proofs stand in an earlier line. */
function duplicatesOf(entry: Entry, lineNumber: number, lineOf: Map<string, number>): string[] {
  const {name, proof} = entry;
  const keys: readonly (readonly [string, string])[] = [
    ['name', name],
    proof.kind === 'token' ? ['hash', proof.sha256.toString('hex')] : ['common name', proof.commonName],
  ];
  const found: string[] = [];
  for (const [what, value] of keys) {
    const key = `${what} ${value}`;
    const earlier = lineOf.get(key);
    if (earlier === undefined) lineOf.set(key, lineNumber);
    else found.push(`the ${what} stands in line ${earlier} already`);
  }
  return found;
}
