/** TLS files of tests: what certificates.ts makes, written where a server can read it. */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {TlsFiles} from '../src/index.ts';
import type {Authority, Issued} from './certificates.ts';
import {tempDir} from './command.ts';

/** Writes certificate and key, and the CA of clients where there is one. Into the same directory they replace those before. */
export function tlsFilesOf({cert, key}: Issued, clients: Authority | null = null, dir: string = tempDir()): TlsFiles {
  const files = {cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem')};
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  if (clients === null) return files;
  const clientCa = join(dir, 'clients.pem');
  writeFileSync(clientCa, clients.cert);
  return {...files, clientCa};
}
