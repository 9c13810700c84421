import {expect, test} from 'vitest';
import {httpOrigin} from './http_flags.ts';

test.each([
  ['http://127.0.0.1:7480', 'http://127.0.0.1:7480'],
  ['https://db.example.com/', 'https://db.example.com'],
  ['HTTPS://DB:7480', 'https://db:7480'],
  ['http://[::1]:9', 'http://[::1]:9'],
  // As a server is told where to listen.
  ['127.0.0.1:7480', 'http://127.0.0.1:7480'],
  ['localhost:1', 'http://localhost:1'],
  ['[fe80::1]:1', 'http://[fe80::1]:1'],
  // Where it listens on all addresses, it is here too.
  ['0.0.0.0:7480', 'http://127.0.0.1:7480'],
  ['[::]:7480', 'http://[::1]:7480'],
])('%s is %s', (text, origin) => {
  expect(httpOrigin(text)).toBe(origin);
});

test.each([
  ['off', 'without HTTP'],
  ['127.0.0.1:0', 'port 0'],
  ['127.0.0.1', 'HOST:PORT'],
  ['ftp://127.0.0.1:1', 'http://HOST:PORT'],
  ['http://', 'http://HOST:PORT'],
  ['http://me:secret@localhost:1', '--token-file'],
  ['http://localhost:1/v1', 'ends with the port'],
  ['http://localhost:1?a', 'ends with the port'],
])('%s is refused', (text, said) => {
  expect(() => httpOrigin(text)).toThrow(said);
});
