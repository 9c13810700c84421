/**
 * Settings that are right one by one and wrong together, above all those that would put a database on the network for
 * everybody by a flag that was forgotten. All of them are said at once, by the names of their flags.
 */
import {defaultAnonymousRole, type ListenAddress} from '@allocdb/server';
import {EXIT, fail} from './exit.ts';
import type {ServeSettings} from './settings.ts';

/** Ends the command when settings do not go together. */
export function checkTogether(settings: ServeSettings): void {
  const problems = [...tlsProblems(settings), ...accessProblems(settings), ...portProblems(settings)];
  if (problems.length > 0) fail(EXIT.USAGE, problems.join('\n'));
}

/** Addresses that other machines can reach. */
export function reachableAddresses({listen, http}: ServeSettings): readonly ListenAddress[] {
  return [listen, http].filter((address): address is ListenAddress => {
    return address !== null && defaultAnonymousRole(address.host) === null;
  });
}

/** HOST:PORT, as it is written. */
export function addressText({host, port}: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function* tlsProblems({tlsCert, tlsKey, tlsClientCa, httpTls, tokenFile}: ServeSettings): Generator<string> {
  if (tlsCert !== null && tlsKey === null) yield '--tls-cert needs --tls-key';
  if (tlsKey !== null && tlsCert === null) yield '--tls-key needs --tls-cert';
  if (tlsClientCa !== null && tlsCert === null) yield '--tls-client-ca needs --tls-cert and --tls-key';
  if (tlsClientCa !== null && tokenFile === null) {
    yield '--tls-client-ca needs --token-file, where a line cert:<common name> says what a certificate may do';
  }
  if (httpTls === true && tlsCert === null) yield '--http-tls on needs --tls-cert and --tls-key';
}

function* accessProblems(settings: ServeSettings): Generator<string> {
  const {tokenFile, anonymousRole} = settings;
  if (tokenFile !== null && anonymousRole !== null && anonymousRole !== 'none') {
    yield '--anonymous-role and --token-file exclude each other: with a token file nobody is anonymous';
  }
  const [reachable] = reachableAddresses(settings);
  if (reachable !== undefined && tokenFile === null && anonymousRole === null) {
    yield `${addressText(reachable)} can be reached from other machines: say who is let in with --token-file, or what everybody may do with --anonymous-role`;
  }
}

function* portProblems({listen, http}: ServeSettings): Generator<string> {
  if (http !== null && http.port !== 0 && http.port === listen.port && http.host === listen.host) {
    yield `--listen and --http are both ${addressText(http)}`;
  }
}
