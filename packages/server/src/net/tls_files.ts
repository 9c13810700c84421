/**
 * Certificate, key and client CA as files: read, put together and tried, so that what cannot work is refused in words
 * before anybody connects. A message never holds anything of a key.
 */
import {X509Certificate} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {createSecureContext, type SecureContextOptions} from 'node:tls';
import {SettingError} from '../access/setting_error.ts';
import type {Log} from '../log.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  /** The server's certificate, and behind it those of the CAs between it and the root. */
  readonly cert: string;
  readonly key: string;
  /** CAs of clients: with it a client must show a certificate that one of them has signed. */
  readonly clientCa?: string;
}

/** What the files say at present, for every port that speaks TLS. */
export class TlsSource {
  readonly files: TlsFiles;
  readonly #log: Log;
  #context: SecureContextOptions;

  /** Reads the files and tries them. Throws SettingError. */
  static open(files: TlsFiles, log: Log): TlsSource {
    return new TlsSource(files, log);
  }

  private constructor(files: TlsFiles, log: Log) {
    this.files = files;
    this.#log = log;
    this.#context = this.#read();
  }

  /** Certificate, key and CAs of clients, and the versions that are spoken. */
  get context(): SecureContextOptions {
    return this.#context;
  }

  /** Reads the files again; false, and the log says why, when they cannot be used and all stays as it was. */
  reload(): boolean {
    try {
      this.#context = this.#read();
      return true;
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      this.#log.error({event: 'tls_reload_failed', reason: error.message});
      return false;
    }
  }

  #read(): SecureContextOptions {
    const {cert, key, clientCa} = this.files;
    const certificate = read('certificate', cert);
    const context: SecureContextOptions = {
      cert: certificate,
      key: read('key', key),
      ...(clientCa === undefined ? {} : {ca: read('client CA', clientCa)}),
      // Said here, because a flag or variable of the process could lower the default.
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
    };
    try {
      createSecureContext(context);
      // A CA that is none would be found out as clients of whom nobody is let in.
      if (context.ca !== undefined) new X509Certificate(context.ca as string);
      const {validTo} = new X509Certificate(certificate);
      const isExpired = Date.parse(validTo) <= Date.now();
      this.#log[isExpired ? 'warn' : 'info']({event: 'tls', cert, validTo, isExpired});
      return context;
    } catch (error) {
      const names = [cert, key, ...(clientCa === undefined ? [] : [clientCa])].join(', ');
      throw new SettingError(`the TLS files ${names} cannot be used: ${(error as Error).message}`, {cause: error});
    }
  }
}

function read(what: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingError(`the TLS ${what} ${file} cannot be read: ${(error as Error).message}`, {cause: error});
  }
}
