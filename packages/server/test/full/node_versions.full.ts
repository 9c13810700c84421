/**
 * The client as it is built, and the embedded database, under every version of Node that they are promised for: everything
 * a program does with them, the loss of its connection in the middle of it, with TLS and without, against a server under the
 * version that runs this. The programs are in node_versions/, plain JavaScript, since the oldest version reads nothing else.
 * A version that is not there is skipped, and said so; `pnpm test:full` fetches them before.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {afterEach, describe, expect, test} from 'vitest';
import {Authority, HERE} from '../certificates.ts';
import {cleanUp, runCommand, ServeProcess, startProgram, tempDir, tempFile} from '../command.ts';
import {rootPath} from '../ops_deploy_files.ts';
import {tlsFilesOf} from '../tls_files.ts';

const VERSIONS = [20, 22, 24];
/** The first version whose language has `await using`. */
const NATIVE_SCOPES = 24;
const OWN = Number(process.versions.node.split('.')[0]);

const COMMON_STEPS = ['connected', 'commands', 'retry', 'bundle', 'batch and pages', 'changes', 'signals'];
const AGAIN = 'kill the server and start it again';
const GONE = 'kill the server';

function nodeOf(version: number): string | null {
  if (version === OWN) return process.execPath;
  const fetched = rootPath(`node_modules/.cache/allocdb_nodes/${version}/node`);
  return existsSync(fetched) ? fetched : null;
}

for (const version of VERSIONS) {
  if (nodeOf(version) === null)
    process.stderr.write(
      `SKIPPED: Node ${version} is not there: packages/client/scripts/install_nodes.sh fetches it\n`,
    );
}

afterEach(cleanUp);

interface Step {
  readonly step: string;
  readonly [more: string]: unknown;
}

/** Runs a program to its end, doing what its steps ask for; its steps. Throws what it said where it failed. */
async function run(
  node: string,
  program: string,
  args: readonly string[],
  asked: Readonly<Record<string, () => Promise<unknown>>> = {},
): Promise<Step[]> {
  const file = fileURLToPath(new URL(`node_versions/${program}`, import.meta.url));
  const child = startProgram([file, ...args], undefined, node);
  const ended = new Promise<number | null>(resolve => child.once('close', resolve));
  let wrong = '';
  child.stderr.on('data', (chunk: Buffer) => {
    wrong += chunk;
  });
  const steps: Step[] = [];
  for await (const line of createInterface({input: child.stdout})) {
    const said = JSON.parse(line) as Step;
    steps.push(said);
    const action = asked[said.step];
    if (action === undefined) continue;
    await action();
    child.stdin.write('\n');
  }
  // Warnings too: a version that warns of what we do will one day not do it.
  expect({code: await ended, wrong}).toEqual({code: 0, wrong: ''});
  return steps;
}

const names = (steps: readonly Step[]): string[] => steps.map(({step}) => step);

/** What a program says of itself: that it is the version that was meant, and has what is built, not the sources. */
function aboutOf(version: number): object {
  return {
    version: expect.stringMatching(`^v${version}\\.`),
    syntax: version < NATIVE_SCOPES ? 'by hand' : 'native',
    module: expect.stringMatching(/\/dist\/index\.js$/),
  };
}

describe.each(VERSIONS)('Node %i', version => {
  const node = nodeOf(version) ?? '';

  test.skipIf(node === '').each(['allocdb', 'allocdbs'])('the client, by %s://', async scheme => {
    const dir = join(tempDir(), 'data');
    const authority = new Authority('the authority of the server');
    const {cert, key} = tlsFilesOf(authority.issue({commonName: 'server', hosts: HERE}));
    const isTls = scheme === 'allocdbs';
    const serve = (port: number): Promise<ServeProcess> => {
      const tls = isTls ? ['--tls-cert', cert, '--tls-key', key] : [];
      return ServeProcess.start(dir, '--listen', `127.0.0.1:${port}`, ...tls);
    };
    let server = await serve(0);
    const {port} = server;
    const trusted = isTls ? [tempFile('ca.pem', authority.cert)] : [];
    const steps = await run(node, 'client_program.mjs', [`${scheme}://127.0.0.1:${port}`, ...trusted], {
      [AGAIN]: async () => {
        await server.kill();
        server = await serve(port);
      },
      [GONE]: () => server.kill(),
    });
    expect(names(steps)).toEqual([...COMMON_STEPS, 'leases', AGAIN, 'loss', GONE, 'closed']);
    expect(steps[0]).toMatchObject(aboutOf(version));
  });

  test.skipIf(node === '')('the embedded database, whose files are those of any other version', async () => {
    const dir = join(tempDir(), 'data');
    const steps = await run(node, 'embedded_program.mjs', [dir]);
    expect(names(steps)).toEqual([...COMMON_STEPS, 'opened again']);
    expect(steps[0]).toMatchObject(aboutOf(version));
    const verified = await runCommand(['verify', dir, '--json']);
    expect(verified.code, verified.stderr).toBe(0);
    expect(JSON.parse(verified.stdout.toString())).toMatchObject({lsn: steps.at(-1)?.['lsn']});
  });
});
