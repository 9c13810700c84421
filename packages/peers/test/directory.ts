/**
 * Directories for tests that start servers: below the system's temporary one, reachable for servers that run as another
 * user, and removed when the file's tests are done. On a file system in memory the tests say the same, only faster.
 */
import {chmodSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

export interface TestDirectory {
  readonly path: string;
  remove(): void;
}

export function testDirectory(): TestDirectory {
  const path = mkdtempSync(join(tmpdir(), 'allocdb-peers-test-'));
  chmodSync(path, 0o711);
  return {path, remove: () => rmSync(path, {recursive: true, force: true, maxRetries: 20, retryDelay: 50})};
}
