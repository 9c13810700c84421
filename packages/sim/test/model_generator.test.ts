// Generated streams: the same seed gives the same bytes, the model keeps its invariants on them, and between them they
// reach every answer that a single node without faults can give. ALLOCDB_SIM_PRINT=1 prints how often.
//
// How good the streams are at noticing a wrong engine is not measured here, only that nothing is left out.
import {
  type ApiResponse,
  configFromJson,
  configToJson,
  decodeApiRequest,
  encodeApiRequest,
  type Failure,
  generateStream,
  Model,
  type ModelConfig,
  Random,
  RESERVATION_STATES,
  RESOURCE_STATES,
  RESULT_NAMES,
  randomConfig,
  randomStart,
  SLOT_OVERFLOW_KINDS,
} from '@allocdb/sim';
import {describe, expect, test} from 'vitest';

const SEEDS = 200;
const REQUESTS = 300;

function failureLabel(failure: Failure): string {
  if (failure.code === 'invalid_request') return `invalid_request:${failure.reason.kind}`;
  if (failure.code === 'slot_overflow') return `slot_overflow:${failure.overflow.overflow}`;
  return failure.code;
}

function labels(response: ApiResponse): string[] {
  switch (response.kind) {
    case 'committed': {
      const cached = response.fromRetryCache ? ['cached', `cached:${response.result}`] : [];
      return [`committed:${response.result}`, ...cached];
    }
    case 'rejected':
      return [`rejected:${failureLabel(response.failure)}`];
    case 'tick_rejected': {
      const {failure} = response;
      const some = failure.code === 'lsn_exhausted' && failure.lastAppliedLsn < 2n ** 64n - 1n ? ':too_few' : '';
      return [`tick_rejected:${failureLabel(failure)}${some}`];
    }
    case 'tick_applied':
      return [response.processedCount === 0 ? 'tick_applied:none' : 'tick_applied:some'];
    case 'resource_found':
      return [`resource_found:${response.resource.state}`];
    case 'reservation_found':
    case 'lease_found':
      return [
        `${response.kind}:${response.reservation.state}`,
        `${response.kind}:${response.reservation.members.length > 1 ? 'bundle' : 'single'}`,
      ];
    case 'resources_page': {
      const some = response.resources.length === 0 ? 'none' : 'some';
      return [`resources_page:${response.next === null ? 'last' : 'more'}:${some}`];
    }
    case 'reservations_page':
      return [`reservations_page:${['none', 'one'][response.reservations.length] ?? 'several'}`];
    case 'batch': {
      const size = response.answers.length === 0 ? 'batch:empty' : 'batch:some';
      return [size, ...response.answers.flatMap(labels)];
    }
    case 'codec_error':
      return [`codec_error:${response.problem.kind}`];
    case 'metrics':
      return ['metrics', `metrics:accepting:${response.metrics.acceptingWrites}`];
    default:
      return [response.kind];
  }
}

/** A submit answer carries neither: noop belongs to expire, slot_overflow is refused before anything is logged. */
const NEVER_ANSWERED = ['noop', 'slot_overflow'];
/** Of these an answer is never stored, or never found again. */
const NEVER_CACHED = [...NEVER_ANSWERED, 'operation_table_full'];
const INVALID_REQUESTS = ['buffer_too_short', 'invalid_command_tag', 'invalid_layout'];

const REACHABLE = [
  ...RESULT_NAMES.filter(name => !NEVER_ANSWERED.includes(name)).map(name => `committed:${name}`),
  ...RESULT_NAMES.filter(name => !NEVER_CACHED.includes(name)).map(name => `cached:${name}`),
  ...INVALID_REQUESTS.map(reason => `rejected:invalid_request:${reason}`),
  ...SLOT_OVERFLOW_KINDS.map(kind => `rejected:slot_overflow:${kind}`),
  'rejected:command_too_large',
  'rejected:lsn_exhausted',
  ...RESOURCE_STATES.map(state => `resource_found:${state}`),
  ...RESERVATION_STATES.flatMap(state => [`reservation_found:${state}`, `lease_found:${state}`]),
  ...['bundle', 'single'].flatMap(size => [`reservation_found:${size}`, `lease_found:${size}`]),
  'resource_not_found',
  'resource_fence_not_applied',
  'reservation_not_found',
  'reservation_retired',
  'reservation_fence_not_applied',
  // Empty and not the last one is a page only of tables that are larger than it.
  ...['last:none', 'last:some', 'more:some'].map(page => `resources_page:${page}`),
  ...['none', 'one', 'several'].map(size => `reservations_page:${size}`),
  'metrics:accepting:true',
  'metrics:accepting:false',
  'tick_applied:none',
  'tick_applied:some',
  'tick_rejected:lsn_exhausted',
  'tick_rejected:lsn_exhausted:too_few',
  'tick_rejected:slot_overflow:reservation_history',
  'batch:empty',
  'batch:some',
  'codec_error:buffer_too_short',
  'codec_error:invalid_request_tag',
  'codec_error:invalid_enum_value',
  'codec_error:invalid_layout',
];

function digest(frames: readonly Uint8Array[]): number {
  let sum = 0;
  for (const frame of frames) for (const byte of frame) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return sum;
}

function isValid(config: ModelConfig): boolean {
  const positive = [config.maxResources, config.maxReservations, config.maxOperations, config.maxBundleSize];
  positive.push(config.maxExpirationBucketLen, config.maxSubmissionQueue, config.maxCommandBytes);
  positive.push(config.maxExpirationsPerTick, Number(config.maxTtlSlots), Number(config.operationWindowSlots ?? 1n));
  return (
    positive.every(value => value >= 1) &&
    config.maxBundleSize <= config.maxResources &&
    config.reservationHistoryWindowSlots <= config.maxTtlSlots &&
    config.maxTtlSlots + config.maxClientRetryWindowSlots < 2n ** 64n &&
    config.maxExpirationBucketLen <= config.maxReservations
  );
}

describe('generated streams', () => {
  test('the first numbers of a seed are fixed', () => {
    const random = new Random(7n);
    expect([random.u32(), random.u32(), random.u32()]).toMatchInlineSnapshot(`
      [
        2956428314,
        2790943651,
        657338564,
      ]
    `);
    expect(random.fork('x').u64()).toMatchInlineSnapshot(`9279498566192641229n`);
  });

  test('a seed gives one stream', () => {
    const stream = (seed: bigint): number => digest(generateStream(seed, randomConfig(seed), 200, randomStart(seed)));
    expect(stream(11n)).toBe(stream(11n));
    expect(stream(11n)).not.toBe(stream(12n));
  });

  test('configurations are valid and survive their JSON form', () => {
    for (let seed = 0n; seed < 1000n; seed += 1n) {
      const config = randomConfig(seed);
      expect(isValid(config), `seed ${seed}`).toBe(true);
      expect(configFromJson(configToJson(config))).toEqual(config);
    }
  });

  test('the model keeps its invariants, and a restart or a copy changes no answer', () => {
    for (let seed = 0n; seed < 40n; seed += 1n) {
      const config = randomConfig(seed);
      const start = randomStart(seed);
      const model = new Model(config, start);
      const twin = new Model(config, start).clone();
      for (const [index, frame] of generateStream(seed, config, 200, start).entries()) {
        const bytes = model.handle(frame);
        expect(twin.handle(frame), `seed ${seed} request ${index}`).toEqual(bytes);
        expect(model.invariants(), `seed ${seed} request ${index}`).toEqual([]);
      }
      const before = model.dumpState();
      model.restart();
      expect(model.dumpState()).toEqual(before);
    }
  });

  test('a well-formed frame decodes and encodes to itself', () => {
    for (const frame of generateStream(3n, randomConfig(3n), 500)) {
      if (new Model(randomConfig(3n)).answer(frame).kind === 'codec_error') continue;
      expect(encodeApiRequest(decodeApiRequest(frame))).toEqual(frame);
    }
  });

  test('every reachable answer occurs', () => {
    const counts = new Map<string, number>();
    for (let seed = 0n; seed < BigInt(SEEDS); seed += 1n) {
      const config = randomConfig(seed);
      const start = randomStart(seed);
      const model = new Model(config, start);
      for (const frame of generateStream(seed, config, REQUESTS, start)) {
        for (const label of labels(model.answer(frame))) counts.set(label, (counts.get(label) ?? 0) + 1);
      }
    }
    const {ALLOCDB_SIM_PRINT: print} = process.env;
    if (print !== undefined) {
      const lines = [...counts].sort().map(([label, count]) => `${String(count).padStart(7)} ${label}`);
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    const rare = REACHABLE.map(label => `${counts.get(label) ?? 0} ${label}`).filter(
      line => Number.parseInt(line, 10) < 5,
    );
    expect(rare).toEqual([]);
    for (const name of NEVER_ANSWERED) expect(counts.has(`committed:${name}`)).toBe(false);
  });
});
