/**
 * The console's files as a stranger may ask for them: what is none is a problem like any other and nothing for the log,
 * whether the console was built or not. What the console does is tested in a browser.
 */
import {afterEach, expect, test} from 'vitest';
import {startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, requestText} from './http_raw.ts';

afterEach(stopHttp);

const NO_FILES = [
  'nothing.js',
  'assets',
  'assets/',
  'assets/nothing.js',
  '.hidden',
  'assets/.hidden',
  '..%2fpackage.json',
  '..%2f..%2fpackage.json',
  '%2e%2e/package.json',
  '../package.json',
  'assets/..%2f..%2fpackage.json',
  '..%5cpackage.json',
  '%00',
  'index.html%00.js',
  'a//b',
  '%2fetc%2fpasswd',
];

test('a path that is no file of the console is a problem, and no fault of the server', async () => {
  const http = await startHttp();
  for (const [i, path] of NO_FILES.entries()) {
    const raw = await RawHttp.open(http.port);
    // As it stands: what fetches would put it in order first.
    raw.write(requestText(`GET /console/${path}`));
    const [response] = await raw.take(1);
    const {status = 0, headers = {}, body = ''} = response ?? {};
    const json: unknown = JSON.parse(body);
    const code = codeOf({status, type: headers['content-type'] ?? null, headers: new Headers(headers), json});
    expect([NO_FILES[i], status, code]).toEqual([path, 404, 'no_such_route']);
    raw.destroy();
  }
  expect(http.events.filter(({event}) => event === 'http_error')).toEqual([]);
});
