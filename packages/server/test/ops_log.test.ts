/**
 * The log as such: no secret in it, no flood, forms and levels; and that the closed set of events is what the sources log.
 * What a whole run of a server logs is in ops_process.test.ts.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {generateToken} from '../src/access/token.ts';
import {createLog, type Log, type LogOptions} from '../src/log.ts';
import {LOG_EVENTS, LOG_LEVELS, type LogLevel, REPEATED_EVENTS} from '../src/ops/log_events.ts';

type Logged = Record<string, unknown> & {readonly event: string};

function logInto(options: Partial<LogOptions> = {}): {log: Log; lines: string[]; events: () => Logged[]} {
  const lines: string[] = [];
  const log = createLog({format: 'json', ...options, write: line => lines.push(line)});
  return {log, lines, events: () => lines.map(line => JSON.parse(line) as Logged)};
}

describe('nothing secret is logged', () => {
  const SECRET = 'correct-horse-battery';

  test.each(['token', 'authorization', 'cookie', 'password', 'passphrase', 'secret', 'privateKey'])('%s', name => {
    const {log, lines} = logInto();
    log.info({event: 'tls', [name]: SECRET});
    log.info({event: 'tls', headers: {[name]: SECRET}});
    log.info({event: 'tls', request: {headers: {[name]: SECRET}}});
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).not.toContain(SECRET);
      expect(line).toContain('[redacted]');
    }
  });

  test('a token of ours, wherever it stands', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        const {token} = generateToken();
        const {log, lines} = logInto();
        log.warn({event: 'access', reason: `${before}${token} ${after}`, list: [token]}, token);
        expect(lines.join('')).not.toContain(token.slice(8));
      }),
    );
  });
});

describe('a line', () => {
  test('is one JSON object with level, time and event', () => {
    const {log, lines, events} = logInto();
    log.error({event: 'halted', reason: 'EIO\nof a disk'}, 'x');
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(events()).toEqual([
      {level: 50, time: expect.any(Number), event: 'halted', reason: 'EIO\nof a disk', msg: 'x'},
    ]);
  });

  test.each(LOG_LEVELS)('is written from level %s on', level => {
    const {log, events} = logInto({level});
    log.debug({event: 'http_request'});
    log.info({event: 'stopped'});
    log.warn({event: 'tls'});
    log.error({event: 'halted'});
    log.fatal({event: 'fatal'});
    expect(events()).toHaveLength(LOG_LEVELS.length - LOG_LEVELS.indexOf(level));
    for (const each of LOG_LEVELS) {
      expect(log.isLevelEnabled(each)).toBe(LOG_LEVELS.indexOf(each) >= LOG_LEVELS.indexOf(level));
    }
  });
});

describe('what others cause cannot fill the log', () => {
  const BURST = 10;
  const WINDOW_MS = 60_000;

  test('ten of a reason in a minute, then how many there were', () => {
    let nowMs = 0;
    const {log, events} = logInto({now: () => nowMs});
    for (let i = 0; i < 1000; i++) log.info({event: 'connection_ended', reason: 'unauthorized'});
    log.info({event: 'connection_ended', reason: 'bad_magic'});
    expect(events().filter(({reason}) => reason === 'unauthorized')).toHaveLength(BURST);
    expect(events().at(-1)).toMatchObject({reason: 'bad_magic'});
    nowMs = WINDOW_MS;
    log.info({event: 'connection_ended', reason: 'unauthorized'});
    expect(events().slice(-2)).toMatchObject([
      {event: 'not_logged', of: 'connection_ended', reason: 'unauthorized', times: 990},
      {event: 'connection_ended', reason: 'unauthorized'},
    ]);
  });

  test('what was kept back is told before the end', () => {
    const {log, events} = logInto({now: () => 0});
    for (let i = 0; i < BURST + 3; i++) log.info({event: 'connection_ended', reason: 'x'});
    log.info({event: 'stopped'});
    expect(events().slice(-2)).toMatchObject([{event: 'not_logged', times: 3}, {event: 'stopped'}]);
  });

  test('reasons that are all different are bounded too', () => {
    const {log, events} = logInto({now: () => 0});
    for (let i = 0; i < 10_000; i++) log.info({event: 'connection_ended', reason: `reason ${i}`});
    log.info({event: 'stopped'});
    expect(events().length).toBeLessThan(100);
    const told = events().reduce((sum, {event, times}) => sum + (event === 'not_logged' ? Number(times) : 1), 0);
    expect(told).toBe(10_001);
  });

  test('nothing is lost in the counts, however it comes', () => {
    const arrivals = fc.array(fc.tuple(fc.nat({max: 3}), fc.nat({max: 30_000})), {maxLength: 300});
    fc.assert(
      fc.property(arrivals, each => {
        let nowMs = 0;
        const {log, events} = logInto({now: () => nowMs});
        for (const [reason, pauseMs] of each) {
          nowMs += pauseMs;
          log.info({event: 'connection_ended', reason: `r${reason}`});
        }
        log.info({event: 'stopped'});
        const told = events().reduce((sum, {event, times}) => sum + (event === 'not_logged' ? Number(times) : 1), 0);
        expect(told - 1).toBe(each.length);
      }),
    );
  });

  test('what only the server causes is always written', () => {
    const {log, events} = logInto({now: () => 0});
    for (let i = 0; i < 100; i++) log.info({event: 'checkpoint_started', lsn: '1'});
    expect(events()).toHaveLength(100);
    for (const name of REPEATED_EVENTS) expect(Object.values(LOG_EVENTS).flat()).toContain(name);
  });
});

describe('the closed set', () => {
  const SOURCES = ['../src/', '../../cli/src/'].map(path => fileURLToPath(new URL(path, import.meta.url)));
  const sources = SOURCES.flatMap(dir =>
    readdirSync(dir, {recursive: true, encoding: 'utf8'})
      .filter(name => name.endsWith('.ts') && !name.endsWith('log_events.ts'))
      .map(name => readFileSync(join(dir, name), 'utf8')),
  );

  test('is sorted, and no name is there that nothing logs', () => {
    for (const level of LOG_LEVELS) {
      const names = LOG_EVENTS[level];
      expect([...names].sort()).toEqual(names);
      for (const name of names) {
        expect(
          sources.some(text => text.includes(`event: '${name}'`)),
          name,
        ).toBe(true);
      }
    }
  });

  test('has levels that pino knows in this order', () => {
    const {log, events} = logInto({level: 'debug'});
    const write: Record<LogLevel, () => void> = {
      debug: () => log.debug({event: 'http_request'}),
      info: () => log.info({event: 'stopped'}),
      warn: () => log.warn({event: 'tls'}),
      error: () => log.error({event: 'halted'}),
      fatal: () => log.fatal({event: 'fatal'}),
    };
    for (const level of LOG_LEVELS) write[level]();
    expect(events().map(({level}) => level)).toEqual([20, 30, 40, 50, 60]);
  });
});
