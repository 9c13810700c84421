/**
 * Certificates for tests, made on the spot: an authority, and what it or nobody has signed, valid or not any more. X.509 is
 * written as DER here, because node:crypto can sign and read certificates and cannot write them, and a test should need no
 * program that is not in the repository. Keys are P-256, which takes no time to make.
 */
import {generateKeyPairSync, type KeyObject, randomBytes, sign} from 'node:crypto';
import {isIP} from 'node:net';

/** A certificate and its key, PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface Subject {
  /** One common name, or several, which is unusual. */
  readonly commonName: string | readonly string[];
  /** Names and addresses of a host. */
  readonly hosts?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const DAY_MS = 86_400_000;
const OID = {
  COMMON_NAME: [0x55, 0x04, 0x03],
  ECDSA_SHA256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  BASIC_CONSTRAINTS: [0x55, 0x1d, 0x13],
  ALTERNATIVE_NAMES: [0x55, 0x1d, 0x11],
} as const;
const TAG = {
  BOOL: 1,
  INTEGER: 2,
  BITS: 3,
  OCTETS: 4,
  OID: 6,
  UTF8: 0x0c,
  UTC_TIME: 0x17,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;
const {BOOL, INTEGER, BITS, OCTETS, UTF8, UTC_TIME, SEQUENCE, SET} = TAG;
const ALGORITHM = der(SEQUENCE, oid(OID.ECDSA_SHA256));

/** A tag, a length and the content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const {length} = content;
  let head = [tag, length];
  if (length > 0xff) head = [tag, 0x82, length >> 8, length & 0xff];
  else if (length > 0x7f) head = [tag, 0x81, length];
  return Buffer.concat([Uint8Array.from(head), content]);
}

function oid(bytes: readonly number[]): Buffer {
  return der(TAG.OID, Uint8Array.from(bytes));
}

function nameOf(commonName: Subject['commonName']): Buffer {
  const names = typeof commonName === 'string' ? [commonName] : commonName;
  const part = (name: string): Buffer =>
    der(SET, der(SEQUENCE, oid(OID.COMMON_NAME), der(UTF8, Buffer.from(name, 'utf8'))));
  return der(SEQUENCE, ...names.map(part));
}

function timeOf(date: Date): Buffer {
  return der(UTC_TIME, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function extensionsOf(isAuthority: boolean, hosts: readonly string[]): Buffer {
  const extensions: Buffer[] = [];
  if (isAuthority) {
    const value = der(OCTETS, der(SEQUENCE, der(BOOL, Uint8Array.of(0xff))));
    extensions.push(der(SEQUENCE, oid(OID.BASIC_CONSTRAINTS), der(BOOL, Uint8Array.of(0xff)), value));
  }
  if (hosts.length > 0) {
    const names = hosts.map(host =>
      isIP(host) === 4
        ? der(0x87, Uint8Array.from(host.split('.').map(Number)))
        : der(0x82, Buffer.from(host, 'latin1')),
    );
    extensions.push(der(SEQUENCE, oid(OID.ALTERNATIVE_NAMES), der(OCTETS, der(SEQUENCE, ...names))));
  }
  return extensions.length === 0 ? Buffer.alloc(0) : der(0xa3, der(SEQUENCE, ...extensions));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

interface Signer {
  readonly name: Buffer;
  readonly key: KeyObject;
}

function issue(subject: Subject, isAuthority: boolean, signer: Signer | null): {issued: Issued; own: Signer} {
  const {publicKey, privateKey} = generateKeyPairSync('ec', {namedCurve: 'P-256'});
  const own: Signer = {name: nameOf(subject.commonName), key: privateKey};
  const {name: issuer, key} = signer ?? own;
  const {notBefore = new Date(Date.now() - DAY_MS), notAfter = new Date(Date.now() + DAY_MS)} = subject;
  const serial = Uint8Array.of(1, ...randomBytes(15));
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Uint8Array.of(2))),
    der(INTEGER, serial),
    ALGORITHM,
    issuer,
    der(SEQUENCE, timeOf(notBefore), timeOf(notAfter)),
    own.name,
    publicKey.export({type: 'spki', format: 'der'}),
    extensionsOf(isAuthority, subject.hosts ?? []),
  );
  const signature = der(BITS, Uint8Array.of(0), sign('sha256', body, key));
  const cert = pem('CERTIFICATE', der(SEQUENCE, body, ALGORITHM, signature));
  return {issued: {cert, key: privateKey.export({type: 'pkcs8', format: 'pem'}).toString()}, own};
}

/** Signs certificates; its own is what others trust. */
export class Authority {
  readonly cert: string;
  readonly #signer: Signer;

  constructor(commonName: string) {
    const {issued, own} = issue({commonName}, true, null);
    this.cert = issued.cert;
    this.#signer = own;
  }

  issue(subject: Subject): Issued {
    return issue(subject, false, this.#signer).issued;
  }
}

/** A certificate that nobody but its own key has signed. */
export function selfSigned(subject: Subject): Issued {
  return issue(subject, false, null).issued;
}

/** The hosts under which tests reach a server. */
export const HERE: readonly string[] = ['localhost', '127.0.0.1'];
/** The bounds of a certificate that ended yesterday. */
export const EXPIRED: Pick<Subject, 'notBefore' | 'notAfter'> = {
  notBefore: new Date(Date.now() - 2 * DAY_MS),
  notAfter: new Date(Date.now() - DAY_MS),
};
