/**
 * `inspect`, `why`, `doctor` and `plan` on real directories: what they print, in both forms, what they exit with, and that
 * they change nothing, also when they are ended in the middle.
 */
import {spawn, spawnSync} from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {encodeClientRequest, holderIdFrom, idToBigint, operationIdFrom, resourceIdFrom} from '@allocdb/api';
import {configOfLimits, parseConfig, SingleNodeEngine} from '@allocdb/node';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, objectOf, PATIENTLY, Server, start, tempDir, tempFile} from './command.ts';
import {runHere} from './in_process.ts';

afterAll(cleanUp);

const LIMITS = {maxResources: 100, maxReservations: 100, maxOperations: 1000, maxTtlSlots: 600};
const SEAT = resourceIdFrom('seat-1');
const [ALICE, BOB] = [holderIdFrom('alice'), holderIdFrom('bob')];

let dir: string;
let lease: string;

/** A database in which bob lost a seat to alice. */
beforeAll(async () => {
  dir = join(tempDir(), 'data');
  const engine = SingleNodeEngine.open({
    dir,
    config: configOfLimits(LIMITS, 100),
    slotMs: 100,
    segmentBytes: 1 << 20,
    idleMarkerMs: 0,
  });
  const submit = (operation: string, command: Parameters<typeof encodeClientRequest>[0]['command']): string => {
    const payload = encodeClientRequest({operationId: idToBigint(operationIdFrom(operation)), clientId: 1n, command});
    const answer = engine.handleApiRequest({type: 'submit', requestSlot: 20n, payload});
    return answer.type === 'submit_committed' ? String(answer.reservationId?.toString(16)) : answer.type;
  };
  const resourceId = idToBigint(SEAT);
  submit('create', {kind: 'create_resource', resourceId});
  lease = submit('win', {kind: 'reserve', resourceId, holderId: idToBigint(ALICE), ttlSlots: 50n}).padStart(32, '0');
  submit('lose', {kind: 'reserve', resourceId, holderId: idToBigint(BOB), ttlSlots: 50n});
  await engine.checkpoint();
  await engine.close();
});

/** Names, sizes and times of all that lies in a directory. */
function imageOf(path: string): string[] {
  return readdirSync(path, {recursive: true})
    .map(String)
    .sort()
    .map(name => {
      const {size, mtimeMs} = statSync(join(path, name));
      // LOCK is truncated by whoever held it.
      return name === 'LOCK' ? name : `${name} ${size} ${mtimeMs}`;
    });
}

describe('inspect', () => {
  test('wal: segments, frames and records, a line each; the directory stays as it is', async () => {
    const before = imageOf(dir);
    const {code, stdout, stderr} = await runHere(['inspect', 'wal', dir, '--records']);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe('config  shard=0 slotMs=100');
    expect(lines[1]).toMatch(/^segment {2}name=wal-0{19}1\.seg firstLsn=1 ordinal=1 bytes=1048576$/);
    expect(lines.filter(line => line.startsWith('frame'))).toHaveLength(5);
    expect(lines.find(line => line.includes('resource_busy'))).toBe(
      `reserve  lsn=3 slot=20 result=resource_busy resources=${SEAT} holder=${BOB} ttlSlots=50 operation=${operationIdFrom('lose')} client=${'1'.padStart(32, '0')}`,
    );
    expect(lines.at(-1)).toBe('end  ending=clean firstLsn=1 lastLsn=3 cutBytes=0');
    expect(imageOf(dir)).toEqual(before);
  });

  test('wal: lsns and a limit choose, as JSON', async () => {
    const {stdout} = await runHere(['inspect', 'wal', dir, '--records', '--from', '2', '--limit', '1', '--json']);
    const objects = stdout.trimEnd().split('\n').map(objectOf);
    expect(objects.find(({kind}) => kind === 'reserve')).toMatchObject({lsn: '2', result: 'ok', lease, slot: '20'});
    expect(objects.at(-1)).toEqual({kind: 'limit'});
    const people = await runHere(['inspect', 'wal', dir, '--limit', '1']);
    expect(people.stdout).toMatch(/\nlimit {2}what comes behind is not shown: raise --limit\n$/);
  });

  test('wal: damage is named, the rest is shown, and the exit code says so', async () => {
    const copy = join(tempDir(), 'copy');
    cpSync(dir, copy, {recursive: true});
    const [name = ''] = readdirSync(join(copy, 'wal')).filter(each => each.endsWith('.seg'));
    const path = join(copy, 'wal', name);
    const bytes = readFileSync(path);
    bytes[4096 + 512 + 60] = 0xff;
    writeFileSync(path, bytes);
    const {code, stdout} = await runHere(['inspect', 'wal', copy, '--records']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^frame .* lsn=2 .*problem="its records fail their checksum"/m);
    expect(stdout).toMatch(/^reserve {2}lsn=3 /m);
    expect(stdout).not.toMatch(/^reserve {2}lsn=2 /m);
    expect(stdout).toMatch(/^end {2}error=corruption/m);
  });

  test('snapshot: header, sections, digest and records', async () => {
    const [name = ''] = readdirSync(join(dir, 'snapshots'));
    const file = join(dir, 'snapshots', name);
    const {code, stdout} = await runHere(['inspect', 'snapshot', file, '--section', 'reservations']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^snapshot {2}bytes=\d+ lsn=3 slot=20 /);
    expect(stdout).toMatch(/^section {2}name=operations expected=3 found=3 blocks=1 damagedBlocks=0$/m);
    expect(stdout).toMatch(/^digest {2}header=([0-9a-f]{32}) trailer=\1 records=\1$/m);
    expect(stdout).toContain(
      `lease  id=${lease} lsn=2 holder=${ALICE} state=reserved epoch=1 deadlineSlot=70 resources=${SEAT}`,
    );
    const damaged = tempFile('damaged.snap', 'no snapshot');
    expect(await runHere(['inspect', 'snapshot', damaged])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('problem  problem="the header is cut"'),
    });
  });

  test('flags of the other one, and places where nothing is', async () => {
    const wrong = await runHere(['inspect', 'wal', dir, '--section', 'resources']);
    expect([wrong.code, wrong.stderr]).toEqual([64, 'allocdb: --section says nothing of a log\n']);
    expect((await runHere(['inspect', 'snapshot', dir, '--records'])).code).toBe(64);
    expect((await runHere(['inspect', 'table', dir])).code).toBe(64);
    for (const path of [join(dir, 'nowhere'), tempDir()]) {
      const {code, stderr} = await runHere(['inspect', 'wal', path]);
      expect([code, stderr.includes(path), stderr.includes('    at ')]).toEqual([1, true, false]);
    }
    expect((await runHere(['inspect', 'snapshot', join(dir, 'nowhere')])).code).toBe(1);
  });
});

describe('why', () => {
  test('a lost reserve names who had it, under what, since when and until when', async () => {
    const before = imageOf(dir);
    const {code, stdout} = await runHere(['why', 'name:seat-1', '--operation', 'name:lose', '--dir', dir]);
    expect(code).toBe(0);
    const held = `it was held by holder ${ALICE} under reservation ${lease} since lsn 2, slot 20 (now), until slot 70 (in 5 s)`;
    expect(stdout.split('\n')).toEqual([
      `resource ${SEAT}: held by holder ${ALICE} under reservation ${lease} since lsn 2, slot 20 (now), until slot 70 (in 5 s)`,
      `lsn 1, slot 20 (now): create_resource (operation ${operationIdFrom('create')}): ok: created`,
      expect.stringMatching(/^lsn 2, .*: ok: held by holder/),
      `lsn 3, slot 20 (now): reserve (operation ${operationIdFrom('lose')}): resource_busy: at lsn 3 ${held}`,
      `operation ${operationIdFrom('lose')}:`,
      expect.stringMatching(/^ {2}lsn 3, .*resource_busy: at lsn 3 it was held/),
      '',
    ]);
    expect(imageOf(dir)).toEqual(before);
  });

  test('as JSON, in the form that the server answers with', async () => {
    const {stdout} = await runHere(['why', SEAT, '--dir', dir, '--json']);
    expect(objectOf(stdout)).toMatchObject({
      resource_id: SEAT,
      log: {first_lsn: '1', last_lsn: '3'},
      now_slot: '20',
      slot_ms: 100,
      standing: 'held',
      holding: {reservation_id: lease, holder_id: ALICE, since_lsn: '2', deadline_slot: '70', state: 'reserved'},
      events: [{lsn: '1'}, {lsn: '2'}, {lsn: '3', reason: {code: 'held', holding: {holder_id: ALICE}}}],
      operation: null,
    });
  });

  test('what is not there exits 2; what is not asked for exits 64; a directory in use is refused', async () => {
    expect(await runHere(['why', 'name:seat-2', '--dir', dir])).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('does not exist'),
    });
    expect((await runHere(['why', '--operation', 'name:never', '--dir', dir])).code).toBe(2);
    expect((await runHere(['why', '--operation', 'name:win', '--dir', dir])).code).toBe(0);
    expect((await runHere(['why', '--dir', dir])).code).toBe(64);
    const server = await Server.start();
    const {code, stderr} = await runHere(['why', 'name:seat-1', '--dir', server.dir]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('is in use by process')]);
    await server.kill();
  });
});

describe('doctor', () => {
  test('judges machine and directory, and leaves nothing behind', async () => {
    const before = imageOf(dir);
    const {code, stdout} = await runHere(['doctor', dir, '--syncs', '20', '--json']);
    const {result, findings, facts} = objectOf(stdout) as {
      result: string;
      findings: {check: string; level: string; sentence: string; advice: string | null}[];
      facts: {directory: object; sync: {syncs: number}; memoryBytes: number; clock: {looks: number}};
    };
    expect(code).toBe(result === 'problem' ? 1 : 0);
    const checks = [
      'directory',
      'lock',
      'file_system',
      'space',
      'sync',
      'node',
      'cpu',
      'memory',
      'open_files',
      'clock',
    ];
    expect(findings.map(({check}) => check)).toEqual(expect.arrayContaining(checks));
    expect(facts.directory).toMatchObject({path: dir, state: 'database', isWritable: true, lock: {is: 'free'}});
    expect(facts.sync.syncs).toBe(20);
    expect(facts.clock.looks).toBeGreaterThan(20);
    expect(imageOf(dir)).toEqual(before);
    const text = await runHere(['doctor', dir, '--syncs', '20']);
    expect(text.stdout).toMatch(/^(?:ok|warning|problem) +directory +.* holds a database$/m);
  });

  test('a problem exits 1: a directory with other files', async () => {
    const other = tempDir();
    writeFileSync(join(other, 'thesis.txt'), '');
    const found = await runHere(['doctor', other, '--syncs', '20']);
    expect([found.code, found.stdout]).toEqual([1, expect.stringMatching(/^problem +directory .*no database$/m)]);
    expect(readdirSync(other)).toEqual(['thesis.txt']);
  });

  test('a directory that is not there is judged by the configuration that it would have', async () => {
    const config = join(tempDir(), 'config.json');
    const load = ['--rate', '5000', '--hold', '10m', '--resources', '4000'];
    const page = await runHere(['plan', ...load, '--out', config]);
    const tables = /^memory +(\S+ \S+) for the tables/m.exec(page.stdout)?.[1] ?? 'nothing';
    const fresh = join(tempDir(), 'fresh');
    const {stdout} = await runHere(['doctor', fresh, '--config', config, '--syncs', '20']);
    expect(stdout).toMatch(/^ok +directory .* is not there and would be created$/m);
    expect(stdout).toContain(`the tables take ${tables}, `);
    expect(existsSync(fresh)).toBe(false);
    const broken = await runHere(['doctor', fresh, '--config', tempFile('config.json', '{}')]);
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('core.max_resources: missing')]);
  });

  test('who has the directory: a server, nobody, somebody who cannot be seen', async () => {
    const server = await Server.start();
    const lockLine = async (path: string): Promise<string> => {
      const {stdout} = await runHere(['doctor', path, '--syncs', '20']);
      return /^\w+ +lock +(.*)$/m.exec(stdout)?.[1] ?? stdout;
    };
    const pid = readFileSync(join(server.dir, 'LOCK'), 'utf8').trim();
    expect(await lockLine(server.dir)).toContain(`in use by process ${pid};`);
    await server.kill();
    // The process is gone and its id still stands there.
    expect(readFileSync(join(server.dir, 'LOCK'), 'utf8').trim()).toBe(pid);
    expect(await lockLine(server.dir)).toBe('no process has the database open');
    writeFileSync(join(server.dir, 'LOCK'), `${process.pid}\n`);
    expect(await lockLine(server.dir)).toBe('no process has the database open');
    const dead = spawnSync('true').pid;
    writeFileSync(join(server.dir, 'LOCK'), `${dead}\n`);
    const holder = spawn('flock', ['-x', join(server.dir, 'LOCK'), 'cat'], {stdio: ['pipe', 'pipe', 'ignore']});
    const echoed = new Promise(resolve => holder.stdout.once('data', resolve));
    holder.stdin.write('it runs\n');
    await echoed;
    expect(await lockLine(server.dir)).toContain('in use by a process that cannot be seen from here');
    const ended = new Promise(resolve => holder.once('close', resolve));
    holder.stdin.end();
    await ended;
    expect(await lockLine(server.dir)).toBe('no process has the database open');
  });

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'ended by %s in the middle of measuring, it leaves nothing',
    async signal => {
      const before = imageOf(dir);
      const running = start(['doctor', dir, '--syncs', '100000']);
      const handles = `/proc/${running.child.pid}/fd`;
      const inside = `${realpathSync(dir)}/doctor-`;
      const isMeasuring = (): boolean => {
        if (!existsSync(handles)) return false;
        return readdirSync(handles).some(handle => linkOf(join(handles, handle)).startsWith(inside));
      };
      await expect.poll(isMeasuring, PATIENTLY).toBe(true);
      running.child.kill(signal);
      const {stdout} = await running.ended;
      expect(stdout).toBe('');
      expect(imageOf(dir)).toEqual(before);
    },
  );
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

describe('plan', () => {
  const load = ['--rate', '2000', '--hold', '10m', '--resources', '20000'];

  test('prints a page and the configuration', async () => {
    const {code, stdout} = await runHere(['plan', ...load, '--reads', '50', '--granted', '30']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^load +2,000 requests\/s, 50 % of them reads: 1,000 commands\/s, 30 % of them reserves/);
    const config = parseConfig(stdout.slice(stdout.indexOf('\n{') + 1));
    expect(config.core).toMatchObject({maxResources: 20_000, maxTtlSlots: 6001n});
  });

  test('writes it to a new file that init takes, and never over one', async () => {
    const out = join(tempDir(), 'config.json');
    const {code, stdout} = await runHere(['plan', ...load, '--out', out, '--json']);
    expect(code).toBe(0);
    expect(objectOf(stdout)['config']).toEqual(JSON.parse(readFileSync(out, 'utf8')));
    const created = join(tempDir(), 'data');
    expect((await runHere(['init', created, '--config', out])).code).toBe(0);
    const again = await runHere(['plan', ...load, '--out', out]);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining(`--out ${out} cannot be written`)]);
  });

  test('a load that is none, and one that nothing carries', async () => {
    expect((await runHere(['plan', ...load, '--granted', '0'])).code).toBe(64);
    expect((await runHere(['plan', ...load, '--reads', '100'])).code).toBe(64);
    expect((await runHere(['plan', ...load, '--bundle-size', '30000'])).code).toBe(64);
    const {code, stderr} = await runHere(['plan', ...load, '--rate', '900000000']);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/no configuration carries this load:\n +core\.max_/)]);
  });
});
