/**
 * `allocdb api --config FILE DIR`: an embedded engine behind stdin and stdout. Reads length-prefixed API frames, answers
 * each with a length-prefixed response in order; what a response says is durable before it is written. A frame that is no
 * request is answered by its codec error (0xE0 …). End of input closes the directory cleanly.
 */
import {CodecError, codecErrorFrame} from '@allocdb/api';
import {SingleNodeEngine} from '@allocdb/node';
import {createDirectoryAt} from '@allocdb/node/testing';
import {type Command, InvalidArgumentError} from 'commander';
import {u64} from '../arguments.ts';
import {readConfig} from '../config_input.ts';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

/** Flags of `api` as the command line gives them. */
export interface ApiFlags {
  config: string;
  startLsn?: bigint;
  startSlot?: bigint;
}

/** Longest frame that is read; a longer length is taken for garbage. */
const FRAME_BYTES_MAX: number = 64 << 20;
const LENGTH_BYTES = 4;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

export function register(program: Command, session: Session): void {
  const command = program
    .command('api')
    .argument('<dir>', 'data directory; created when it is not there')
    .description('answer length-prefixed API frames from stdin on stdout, with an engine in this process')
    .requiredOption('--config <file>', 'configuration (JSON) of the directory')
    .option('--start-lsn <n>', 'begin a new directory behind this lsn', startLsn)
    .option('--start-slot <n>', 'begin a new directory at this slot', u64)
    .action((dir: string, flags: ApiFlags) => api(dir, flags));
  addExamples(command, session, [
    'api ./data --config database.json < requests > responses',
    'api ./data --config database.json --start-lsn 1000 --start-slot 5000 < requests > responses',
  ]);
}

/** An lsn behind which there is another one. */
function startLsn(text: string): bigint {
  const lsn = u64(text);
  if (lsn === U64_MAX) throw new InvalidArgumentError('must be below 2^64 - 1: behind the last lsn no log can begin.');
  return lsn;
}

async function api(dir: string, flags: ApiFlags): Promise<void> {
  const config = readConfig(flags.config);
  if (flags.startLsn !== undefined || flags.startSlot !== undefined) {
    await createDirectoryAt(dir, config, {lsn: flags.startLsn ?? 0n, slot: flags.startSlot ?? 0n});
  }
  const engine = SingleNodeEngine.open({dir, config});
  try {
    await answerAll(engine);
  } finally {
    await engine.close();
  }
}

async function answerAll(engine: SingleNodeEngine): Promise<void> {
  // Joined only when a frame is complete: a long one arrives in very many chunks.
  let chunks: Buffer[] = [];
  let have = 0;
  let need = LENGTH_BYTES;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    have += (chunk as Buffer).length;
    if (have < need) continue;
    const input = chunks.length === 1 ? (chunk as Buffer) : Buffer.concat(chunks);
    const responses: Uint8Array[] = [];
    need = LENGTH_BYTES;
    let at = 0;
    while (input.length - at >= LENGTH_BYTES) {
      const length = input.readUInt32LE(at);
      if (length > FRAME_BYTES_MAX) {
        await writeOut(responses);
        fail(EXIT.FAILURE, `a frame of ${length} bytes was announced; at most ${FRAME_BYTES_MAX} are read`);
      }
      const end = at + LENGTH_BYTES + length;
      if (input.length < end) {
        need = end - at;
        break;
      }
      responses.push(answer(engine, input.subarray(at + LENGTH_BYTES, end)));
      at = end;
    }
    await writeOut(responses);
    chunks = [Buffer.from(input.subarray(at))];
    have = input.length - at;
  }
  if (have > 0) fail(EXIT.FAILURE, `the input ends within a frame (${have} bytes are left)`);
}

function answer(engine: SingleNodeEngine, frame: Uint8Array): Uint8Array {
  try {
    return engine.handleApiBytes(frame);
  } catch (error) {
    if (error instanceof CodecError) return codecErrorFrame(error);
    throw error;
  }
}

/** Resolves when the operating system has taken the bytes. */
async function writeOut(responses: readonly Uint8Array[]): Promise<void> {
  if (responses.length === 0) return;
  const out = Buffer.alloc(responses.reduce((sum, response) => sum + 4 + response.length, 0));
  let at = 0;
  for (const response of responses) {
    out.writeUInt32LE(response.length, at);
    out.set(response, at + 4);
    at += 4 + response.length;
  }
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(out, error => (error ? reject(error) : resolve()));
  });
}
