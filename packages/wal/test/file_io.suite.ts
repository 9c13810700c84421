/**
 * What every `FileIo` promises, so that a log proven on the simulated disk is proven on files.
 */

import {describe, expect, test} from 'vitest';
import {type FileIo, joinPath, parentPath, readFully, WalError, writeFully, writeFullyAsync} from '../src/index.ts';

/** `make` gives an io and an empty directory of its own. */
export function runFileIoSuite(name: string, make: () => {io: FileIo; dir: string}): void {
  const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);

  describe(`FileIo: ${name}`, () => {
    test('what is written at a position is read there, zeros before it, nothing behind', () => {
      const {io, dir} = make();
      const handle = io.open(joinPath(dir, 'a'), 'create');
      writeFully(io, handle, bytes, 8, 600);
      expect(io.size(handle)).toBe(608);
      const read = new Uint8Array(700).fill(255);
      expect(readFully(io, handle, read, 10, 690, 0)).toBe(608);
      expect(read[9]).toBe(255);
      expect(read.subarray(10, 610).every(byte => byte === 0)).toBe(true);
      expect([...read.subarray(610, 618)]).toEqual([...bytes]);
      expect(io.read(handle, read, 0, 10, 5000)).toBe(0);
      io.close(handle);
    });

    test('the asynchronous forms do the same', async () => {
      const {io, dir} = make();
      const handle = io.open(joinPath(dir, 'a'), 'create');
      await writeFullyAsync(io, handle, bytes, 8, 0);
      await io.datasyncAsync(handle);
      io.datasync(handle);
      const read = new Uint8Array(8);
      readFully(io, handle, read, 0, 8, 0);
      expect(read).toEqual(bytes);
      io.close(handle);
    });

    test('names: create once, rename over, unlink, list in order', () => {
      const {io, dir} = make();
      for (const file of ['b', 'a', 'c']) {
        const handle = io.open(joinPath(dir, file), 'create');
        writeFully(io, handle, bytes, file === 'a' ? 1 : 2, 0);
        io.close(handle);
      }
      expect(io.list(dir)).toEqual(['a', 'b', 'c']);
      expect(codeOf(() => io.open(joinPath(dir, 'a'), 'create'))).toBe('EEXIST');
      io.rename(joinPath(dir, 'a'), joinPath(dir, 'c'));
      io.unlink(joinPath(dir, 'b'));
      io.syncDir(dir);
      expect(io.list(dir)).toEqual(['c']);
      const handle = io.open(joinPath(dir, 'c'), 'read');
      expect(io.size(handle)).toBe(1);
      io.close(handle);
    });

    test('what is not there is ENOENT', () => {
      const {io, dir} = make();
      const path = joinPath(dir, 'none');
      const calls = [
        () => io.open(path, 'read'),
        () => io.open(path, 'write'),
        () => io.open(joinPath(path, 'x'), 'create'),
        () => io.unlink(path),
        () => io.rename(path, joinPath(dir, 'b')),
        () => io.list(path),
        () => io.syncDir(path),
        () => io.makeDir(joinPath(path, 'x')),
        () => io.removeDir(path),
      ];
      for (const call of calls) expect(codeOf(call)).toBe('ENOENT');
    });

    test('the asynchronous rename, removal and directory sync do the same, and fail the same', async () => {
      const {io, dir} = make();
      io.close(io.open(joinPath(dir, 'a'), 'create'));
      await io.renameAsync(joinPath(dir, 'a'), joinPath(dir, 'b'));
      await io.syncDirAsync(dir);
      expect(io.list(dir)).toEqual(['b']);
      await expect(io.renameAsync(joinPath(dir, 'a'), joinPath(dir, 'c'))).rejects.toMatchObject({code: 'ENOENT'});
      await io.unlinkAsync(joinPath(dir, 'b'));
      expect(io.list(dir)).toEqual([]);
      await expect(io.unlinkAsync(joinPath(dir, 'b'))).rejects.toMatchObject({code: 'ENOENT'});
      await expect(io.syncDirAsync(joinPath(dir, 'none'))).rejects.toMatchObject({code: 'ENOENT'});
    });

    test('only the range asked for is written and read, and a file shows its writes to every handle', () => {
      const {io, dir} = make();
      const path = joinPath(dir, 'a');
      const writer = io.open(path, 'create');
      const reader = io.open(path, 'read');
      expect(io.write(writer, bytes, 2, 3, 510)).toBe(3);
      expect(io.write(writer, bytes, 0, 0, 900)).toBe(0);
      expect(io.size(reader)).toBe(513);
      const read = new Uint8Array(8);
      expect(io.read(reader, read, 4, 2, 511)).toBe(2);
      expect([...read]).toEqual([0, 0, 0, 0, 4, 5, 0, 0]);
      expect(io.read(reader, read, 0, 8, 510)).toBe(3);
      for (const handle of [writer, reader]) io.close(handle);
    });

    test('opening for writing keeps what is there', () => {
      const {io, dir} = make();
      const path = joinPath(dir, 'a');
      const first = io.open(path, 'create');
      writeFully(io, first, bytes, 8, 0);
      io.close(first);
      const second = io.open(path, 'write');
      writeFully(io, second, bytes, 2, 3);
      const read = new Uint8Array(8);
      expect(readFully(io, second, read, 0, 8, 0)).toBe(8);
      expect([...read]).toEqual([1, 2, 3, 1, 2, 6, 7, 8]);
      io.close(second);
    });

    test('an open file outlives its name: renamed over or unlinked, its handle reads and writes it', () => {
      const {io, dir} = make();
      const handles = ['a', 'b'].map(name => {
        const handle = io.open(joinPath(dir, name), 'create');
        writeFully(io, handle, bytes, 8, 0);
        return handle;
      });
      io.close(io.open(joinPath(dir, 'c'), 'create'));
      io.rename(joinPath(dir, 'c'), joinPath(dir, 'a'));
      io.unlink(joinPath(dir, 'b'));
      for (const handle of handles) {
        writeFully(io, handle, bytes, 4, 8);
        io.datasync(handle);
        expect(io.size(handle)).toBe(12);
        io.close(handle);
      }
      const fresh = io.open(joinPath(dir, 'a'), 'read');
      expect(io.size(fresh)).toBe(0);
      io.close(fresh);
    });

    test('a handle that was closed is EBADF', () => {
      const {io, dir} = make();
      const handle = io.open(joinPath(dir, 'a'), 'create');
      io.close(handle);
      // Only calls that change nothing: the system may have given the number to somebody else.
      expect(codeOf(() => io.size(handle))).toBe('EBADF');
      expect(codeOf(() => io.read(handle, new Uint8Array(4), 0, 4, 0))).toBe('EBADF');
    });

    test('a directory is created once, and its files are its own', () => {
      const {io, dir} = make();
      const inner = joinPath(dir, 'inner');
      expect(io.makeDir(inner)).toBe(true);
      expect(io.makeDir(inner)).toBe(false);
      expect(parentPath(inner)).toBe(dir);
      io.syncDir(dir);
      io.close(io.open(joinPath(inner, 'a'), 'create'));
      expect(io.list(inner)).toEqual(['a']);
      expect(io.list(dir)).toEqual(['inner']);
    });

    test('a directory is removed once it is empty, and may be made again', () => {
      const {io, dir} = make();
      const inner = joinPath(dir, 'inner');
      const file = joinPath(inner, 'a');
      io.makeDir(inner);
      io.close(io.open(file, 'create'));
      expect(codeOf(() => io.removeDir(inner))).toBe('ENOTEMPTY');
      expect(codeOf(() => io.removeDir(file))).toBe('ENOTDIR');
      io.unlink(file);
      io.removeDir(inner);
      io.syncDir(dir);
      expect(io.list(dir)).toEqual([]);
      expect(codeOf(() => io.list(inner))).toBe('ENOENT');
      expect(io.makeDir(inner)).toBe(true);
      expect(io.list(inner)).toEqual([]);
    });

    test('a directory is locked once until released', () => {
      const {io, dir} = make();
      const lock = io.lock(dir);
      expect(() => io.lock(dir)).toThrow(WalError);
      lock.release();
      lock.release();
      io.lock(dir).release();
    });

    test('the clock does not go back and randomness fills', () => {
      const {io} = make();
      const before = io.now();
      expect(io.now()).toBeGreaterThanOrEqual(before);
      const random = new Uint8Array(64);
      io.randomFill(random);
      expect(new Set(random).size).toBeGreaterThan(8);
    });
  });
}

function codeOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
  return null;
}
