/**
 * How commands print. Answers go to stdout, as a line for people or, with `--json`, as one JSON object a line; everything
 * else goes to stderr. All JSON is made by the API's `toJson`: values of 64 and more bits are strings.
 *
 * A line for people is the first value of the object, two blanks, then the others as `key=value`; what is absent is left
 * out. A reader that closes its end of the pipe (`| head`) ends a command quietly, by {@link OutputClosed}.
 */
import {toJson} from '@allocdb/client';
import {EXIT, fail} from './exit.ts';

/** A value that both forms can show. */
export type Field = string | number | bigint | boolean | null | readonly string[];
/** The fields of an answer; the first one is its head. */
export type Fields = Readonly<Record<string, Field>>;

/** Where a command prints: a terminal, a pipe, a file. */
export type OutputStream = NodeJS.WritableStream & {readonly isTTY?: boolean};

/** Nobody reads stdout any more. */
export class OutputClosed extends Error {}

export class Output {
  /** Whether answers and failures are JSON. */
  json: boolean = false;
  /** Whether the reader of stdout is gone. */
  isClosed: boolean = false;
  /** Sees every line that is printed to stdout. */
  onLine: ((line: string) => void) | null = null;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;

  constructor(stdout: OutputStream, stderr: OutputStream) {
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** Prints an answer. `hidden` fields are in the JSON form only: what the asker said himself. */
  async record(fields: Fields, hidden: readonly string[] = []): Promise<void> {
    await this.line(fields, lineOf(fields, hidden));
  }

  /** Prints an answer of which the two forms differ. */
  async line(json: object, text: string): Promise<void> {
    await this.write(this.json ? toJson(json) : text);
  }

  /** Prints a line, or several, to stdout; resolves when they were taken. */
  async write(text: string): Promise<void> {
    this.onLine?.(text);
    const {stdout} = this;
    const error = await new Promise<Error | null>(resolve =>
      stdout.write(`${text}\n`, error => resolve(error ?? null)),
    );
    if (error === null) return;
    this.isClosed = true;
    if (isClosedPipe(error)) throw new OutputClosed();
    fail(EXIT.FAILURE, `stdout cannot be written: ${error.message}; the answer was: ${text}`);
  }

  /** Says something beside the answer, for people: not with `--json`. */
  note(text: string): void {
    if (!this.json) this.stderr.write(`${text}\n`);
  }

  /** Says something on stderr in either form. */
  tell(json: object, text: string): void {
    this.stderr.write(`${this.json ? toJson(json) : text}\n`);
  }
}

/** True for the error of a pipe that nobody reads. */
export function isClosedPipe(error: Error): boolean {
  const code = 'code' in error ? error.code : '';
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}

function lineOf(fields: Fields, hidden: readonly string[]): string {
  const [head, ...rest] = Object.entries(fields);
  const shown = rest.filter(([name, value]) => isShown(value) && !hidden.includes(name));
  return [String(head?.[1]), ...(shown.length === 0 ? [] : ['', shown.map(pairOf).join(' ')])].join(' ');
}

function isShown(value: Field): boolean {
  return value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
}

function pairOf([name, value]: [string, Field]): string {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return `${name}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
}
