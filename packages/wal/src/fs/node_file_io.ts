/**
 * `FileIo` over the file system of this machine.
 *
 * Positions are always explicit (pwrite, pread), so a handle has no state but the file. The asynchronous forms run on
 * libuv's thread pool. Windows is not supported: a directory cannot be synced there.
 */

import {randomFillSync} from 'node:crypto';
import fs from 'node:fs';
import {performance} from 'node:perf_hooks';
import type {DirectoryLock, FileIo, OpenMode} from '../file_io.ts';
import {lockDirectory} from './directory_lock.ts';

const FLAGS: Record<OpenMode, string> = {read: 'r', write: 'r+', create: 'wx+'};

class NodeFileIo implements FileIo {
  open(path: string, mode: OpenMode): number {
    return fs.openSync(path, FLAGS[mode], 0o644);
  }

  close(handle: number): void {
    fs.closeSync(handle);
  }

  size(handle: number): number {
    return fs.fstatSync(handle).size;
  }

  read(handle: number, into: Uint8Array, offset: number, length: number, position: number): number {
    return fs.readSync(handle, into, offset, length, position);
  }

  write(handle: number, from: Uint8Array, offset: number, length: number, position: number): number {
    return fs.writeSync(handle, from, offset, length, position);
  }

  datasync(handle: number): void {
    fs.fdatasyncSync(handle);
  }

  writeAsync(handle: number, from: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(handle, from, offset, length, position, (error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  datasyncAsync(handle: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(handle, error => (error ? reject(error) : resolve()));
    });
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  renameAsync(from: string, to: string): Promise<void> {
    return fs.promises.rename(from, to);
  }

  unlink(path: string): void {
    fs.unlinkSync(path);
  }

  unlinkAsync(path: string): Promise<void> {
    return fs.promises.unlink(path);
  }

  list(dir: string): string[] {
    return fs.readdirSync(dir).sort();
  }

  makeDir(path: string): boolean {
    try {
      fs.mkdirSync(path, 0o755);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    }
  }

  removeDir(path: string): void {
    fs.rmdirSync(path);
  }

  syncDir(path: string): void {
    const handle = fs.openSync(path, 'r');
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  }

  async syncDirAsync(path: string): Promise<void> {
    const handle = await fs.promises.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  lock(dir: string, use: 'write' | 'read' = 'write'): DirectoryLock {
    return lockDirectory(dir, use);
  }

  now(): number {
    return performance.now();
  }

  randomFill(into: Uint8Array): void {
    randomFillSync(into);
  }
}

/** Files of this machine. Stateless: one instance serves every log. */
export const nodeFileIo: FileIo = new NodeFileIo();
