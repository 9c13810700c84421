/**
 * A parent for the tests of children: starts the echo and `allocdb serve` below a directory, prints their process ids as
 * JSON, and stays until it is killed.
 *
 * usage: parent_program DIR
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {ALLOCDB_PROGRAM, ECHO_PROGRAM, startServer} from '../src/child_server.ts';
import {serveArgs} from '../src/server_setup.ts';

const [, , dir] = process.argv;
if (dir === undefined) throw new RangeError('usage: parent_program DIR');
mkdirSync(join(dir, 'echo'));
const echo = await startServer(ECHO_PROGRAM, [join(dir, 'echo')]);
const database = await startServer(ALLOCDB_PROGRAM, serveArgs(join(dir, 'data')));
console.log(JSON.stringify({echo: echo.pid, database: database.pid}));
