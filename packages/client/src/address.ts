/**
 * Where a server is: `allocdb://host:port`, or `allocdbs://host:port` for TLS, read strictly, because a misread address is
 * found out late. Tokens do not belong into addresses, which end up in logs; they are an option of their own.
 */

/** Port of a server that names none. */
export const DEFAULT_PORT = 7433;

/** A host name or IP address, without brackets, and a port. */
export interface Address {
  host: string;
  port: number;
  /** Whether the server is spoken to by TLS, and verified. */
  tls: boolean;
}

const PLAIN = 'allocdb:';
const TLS = 'allocdbs:';

/**
 * Reads `allocdb://host`, `allocdb://host:port`, `allocdb://[v6]:port`, and the same with `allocdbs`. Throws TypeError for
 * anything else.
 */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string') throw new TypeError(`an address must be a string, got ${typeof text}`);
  const url = urlOf(text);
  if (url === null || (url.protocol !== PLAIN && url.protocol !== TLS) || url.hostname === '') {
    throw new TypeError(`an address looks like allocdb://host:${DEFAULT_PORT}, got ${JSON.stringify(text)}`);
  }
  if (url.username !== '' || url.password !== '')
    throw new TypeError('a token is an option, not a part of the address');
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') {
    throw new TypeError(`an address has no path, query or fragment, got ${JSON.stringify(text)}`);
  }
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  if (port === 0) throw new TypeError('port 0 is not an address');
  return {host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'), port, tls: url.protocol === TLS};
}

function urlOf(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** The address as text, as `parseAddress` reads it. */
export function addressText(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${address.tls ? TLS : PLAIN}//${host}:${address.port}`;
}
