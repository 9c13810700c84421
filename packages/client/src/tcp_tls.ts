/**
 * TLS on the way to a server: options checked before anything is opened, and what went wrong in words that say what to do.
 *
 * The server's certificate is always verified, against the given CAs or those that come with Node, and so is that it is
 * for the host in the address. Nothing turns that off, the environment of the process included.
 */
import {X509Certificate} from 'node:crypto';
import {isIP} from 'node:net';
import {type ConnectionOptions, createSecureContext} from 'node:tls';
import type {Address} from './address.ts';

/** How a server is verified, and how this side shows who it is. Certificates and keys are PEM, not paths. */
export interface TlsOptions {
  /** The CAs to trust instead of those that come with Node; for a self-signed server, its own certificate. */
  ca?: string | Uint8Array | undefined;
  /** This side's certificate, for a server that asks for one; with `key`. */
  cert?: string | Uint8Array | undefined;
  key?: string | Uint8Array | undefined;
  /** The name that the server's certificate must have. Default: the host of the address. */
  servername?: string | undefined;
}

/** What node:tls needs for a server that speaks TLS; null for one that does not. Throws TypeError. */
export type TlsSettings = ConnectionOptions | null;

/** The settings for an address, checked. */
export function tlsSettingsOf(address: Address, options: TlsOptions | undefined): TlsSettings {
  if (!address.tls) {
    if (options !== undefined) throw new TypeError('tls is for addresses that begin with allocdbs://');
    return null;
  }
  const {ca, cert, key, servername} = checked(options === undefined ? {} : options);
  const name = servername ?? (isIP(address.host) === 0 ? address.host : undefined);
  const settings: ConnectionOptions = {
    ...(ca === undefined ? {} : {ca}),
    ...(cert === undefined ? {} : {cert}),
    ...(key === undefined ? {} : {key}),
    ...(name === undefined ? {} : {servername: name}),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  };
  tryOut(settings);
  return settings;
}

/** With the bytes of certificates and keys as text, which is what they are. */
function checked(options: TlsOptions): {[Name in keyof TlsOptions]?: string | undefined} {
  if (typeof options !== 'object' || options === null) throw new TypeError('tls must be an object');
  const {servername} = options;
  if (servername !== undefined && (typeof servername !== 'string' || servername === '' || isIP(servername) !== 0)) {
    throw new TypeError('tls.servername must be the name of a host');
  }
  if ((options.cert === undefined) !== (options.key === undefined)) {
    throw new TypeError('tls.cert and tls.key belong together');
  }
  const pem = (name: 'ca' | 'cert' | 'key'): string | undefined => {
    const value = options[name];
    if (value === undefined || typeof value === 'string') return value;
    if (value instanceof Uint8Array) return new TextDecoder().decode(value);
    throw new TypeError(`tls.${name} must be PEM, as a string or bytes`);
  };
  return {ca: pem('ca'), cert: pem('cert'), key: pem('key'), servername};
}

/** A CA that is none would otherwise be found out as a server that cannot be verified. */
function tryOut(settings: ConnectionOptions): void {
  try {
    if (settings.ca !== undefined) new X509Certificate(settings.ca as string);
    createSecureContext(settings);
  } catch (error) {
    throw new TypeError(`the certificates or the key of tls cannot be used: ${(error as Error).message}`);
  }
}

const UNKNOWN_CA = 'no CA that is trusted has signed the certificate of the server: give its CA as tls.ca';
const SELF_SIGNED = 'the certificate of the server is self-signed: give it, or its CA, as tls.ca';
const NOT_TLS = 'the server does not speak TLS on this port: allocdb:// is without';

/** By the code of the library's error. */
const REASONS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: SELF_SIGNED,
  SELF_SIGNED_CERT_IN_CHAIN: SELF_SIGNED,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  CERT_HAS_EXPIRED: 'the certificate of the server has expired',
  CERT_NOT_YET_VALID: 'the certificate of the server is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate of the server is for another host',
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the server asks for a certificate: give tls.cert and tls.key',
};

/** Why a connection with TLS ended before the server's welcome; `error` is null when the server closed it. */
export function tlsFailureText(error: Error | null): string {
  const code = error !== null && 'code' in error ? String(error.code) : '';
  if (error === null || code === 'ECONNRESET') {
    return 'the server ended the connection before its welcome, as it does for a certificate that it does not accept';
  }
  const reason = REASONS[code];
  return reason === undefined ? error.message : `${reason} (${error.message})`;
}
