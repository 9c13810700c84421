/**
 * Connections of the port and what is under way on each: how many there are, how many requests, of all and of one
 * connection, and how a connection ends. Where there are as many as allowed, a new one takes the place of the one whose last
 * request is the oldest of those on which nobody was let in, so that strangers shut nobody out; so it is with places of
 * requests. Where there is none, it is accepted and told so with its first request; a flood of them is not accepted any more.
 *
 * Bytes that are no request, or come too late, end their connection with a problem. It stands behind the answers to the
 * requests before it, because answers come in the order of requests and are told apart by nothing else.
 */
import type {IncomingMessage, Server, ServerResponse} from 'node:http';
import type {Socket} from 'node:net';
import type {HttpLimits} from './http_host.ts';
import {type Problem, problemOf, rawProblem} from './problem.ts';

/** Connections over the limit that are told so at a time. */
const REFUSED_CONNECTIONS = 64;

/** How long a connection that was told its last is still read. */
const DRAIN_MS = 1000;

interface Connection {
  /** What is not finished, in the order of requests. */
  readonly responses: Set<ServerResponse>;
  /** Those of them that take a place of the server's. What was refused takes none, however late that is read. */
  readonly counted: Set<ServerResponse>;
  readonly isTooMany: boolean;
  /** Somebody was let in on it. */
  isKnown: boolean;
  /** Was ended for the sake of a newer one. */
  gaveWay: boolean;
  /** How many there were. */
  requests: number;
  /** What ends it, once the requests before it were answered. */
  last: Problem | null;
  isEnded: boolean;
  /** The peer is gone without a word. */
  hasFailed: boolean;
}

export class Connections {
  readonly #limits: HttpLimits;
  readonly #onOddEnd: (reason: string) => void;
  readonly #bySocket: Map<Socket, Connection> = new Map();
  /** Those of them that are not known, that with the oldest request first. */
  readonly #strangers: Set<Socket> = new Set();
  /** Those of them that are not too many. */
  #admitted: number = 0;
  #inFlight: number = 0;
  #isEnding: boolean = false;

  /** `onOddEnd` is told the code of what ended a connection out of order. */
  constructor(limits: HttpLimits, onOddEnd: (reason: string) => void) {
    this.#limits = limits;
    this.#onOddEnd = onOddEnd;
  }

  get count(): number {
    return this.#bySocket.size;
  }

  /** Requests that were let in, and whose answer is not finished. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts the connections of a server; `event` is the one with which a socket that carries requests begins. */
  watch(server: Server, event: 'connection' | 'secureConnection'): void {
    server.maxConnections = this.#limits.maxConnections + REFUSED_CONNECTIONS;
    server.on(event, (socket: Socket) => {
      const isTooMany = this.#admitted >= this.#limits.maxConnections && !this.#makeRoom();
      if (!isTooMany) {
        this.#admitted++;
        this.#strangers.add(socket);
      }
      this.#bySocket.set(socket, {
        responses: new Set(),
        counted: new Set(),
        isTooMany,
        isKnown: false,
        gaveWay: false,
        requests: 0,
        last: null,
        isEnded: false,
        hasFailed: false,
      });
      socket.once('close', () => this.#onClose(socket));
      // What node does behind an answer that says `connection: close`: it would reset whoever is still sending.
      socket.destroySoon = () => this.#end(socket);
    });
  }

  /** Somebody was let in on this connection: it keeps its place from now on. */
  know({socket}: IncomingMessage): void {
    const connection = this.#bySocket.get(socket);
    if (connection !== undefined) connection.isKnown = true;
    this.#strangers.delete(socket);
  }

  /** Ends the connection whose last request is the oldest of those on which nobody was let in; false without any. */
  #makeRoom(): boolean {
    const [oldest] = this.#strangers;
    if (oldest === undefined) return false;
    this.#giveUp(oldest);
    return true;
  }

  /** Ends the first of these connections that has requests under way, other than this one; false without any. */
  #makeRoomForRequest(socket: Socket): boolean {
    for (const stranger of this.#strangers) {
      if (stranger === socket || this.#bySocket.get(stranger)?.counted.size === 0) continue;
      this.#giveUp(stranger);
      return true;
    }
    return false;
  }

  #giveUp(socket: Socket): void {
    this.#strangers.delete(socket);
    const connection = this.#bySocket.get(socket);
    if (connection !== undefined) {
      connection.gaveWay = true;
      this.#admitted--;
      this.#inFlight -= connection.counted.size;
      connection.counted.clear();
    }
    socket.destroy();
  }

  /** Counts a request in, until its answer is finished; answers what is too many, if anything is. */
  enter({socket}: IncomingMessage, response: ServerResponse): Problem | null {
    const connection = this.#bySocket.get(socket);
    if (connection === undefined) return null;
    connection.responses.add(response);
    if (this.#strangers.delete(socket)) this.#strangers.add(socket);
    response.once('close', () => this.#leave(socket, connection, response));
    connection.requests++;
    const refusal = this.#refusalOf(socket, connection, response);
    if (refusal === null) {
      connection.counted.add(response);
      this.#inFlight++;
    }
    return refusal;
  }

  #refusalOf(socket: Socket, connection: Connection, response: ServerResponse): Problem | null {
    const {maxRequestsPerConnection: requestsMax} = this.#limits;
    // Requests that were sent ahead of the end are not executed, because their answers could not be sent any more.
    if (requestsMax > 0 && connection.requests > requestsMax) return problemOf('shutting_down');
    if (connection.requests === requestsMax) response.shouldKeepAlive = false;
    if (connection.isTooMany) {
      response.shouldKeepAlive = false;
      return problemOf('too_many_connections');
    }
    if (connection.responses.size > this.#limits.maxInFlightPerConnection) {
      return problemOf('too_many_requests_in_flight', {scope: 'connection'});
    }
    return this.#inFlight >= this.#limits.maxInFlight && !this.#makeRoomForRequest(socket)
      ? problemOf('too_many_requests_in_flight', {scope: 'server'})
      : null;
  }

  /** Every connection ends behind the answers that it waits for; at once where it waits for none. */
  endAll(): void {
    this.#isEnding = true;
    for (const [socket, {responses}] of this.#bySocket) if (responses.size === 0) socket.destroySoon();
  }

  /** Takes a connection whose bytes are no request, or do not come. */
  onError(error: NodeJS.ErrnoException, socket: Socket): void {
    const problem = problemOfBytes(error);
    const connection = this.#bySocket.get(socket);
    // What comes behind the end is not looked at.
    if (problem !== null && connection?.isEnded) return;
    if (problem === null || connection === undefined) {
      if (connection !== undefined) connection.hasFailed = true;
      socket.destroy();
      return;
    }
    connection.last ??= problem;
    this.#endIfAnswered(socket, connection, connection.last);
  }

  #leave(socket: Socket, connection: Connection, response: ServerResponse): void {
    if (connection.counted.delete(response)) this.#inFlight--;
    if (!connection.responses.delete(response)) return;
    if (connection.last !== null) this.#endIfAnswered(socket, connection, connection.last);
    // An answer that had begun before the end was asked for has promised to keep the connection.
    else if (this.#isEnding && connection.responses.size === 0) this.#end(socket);
  }

  /**
   * Answers that were waiting behind others are never finished when their connection is gone, and node tells nobody: it is
   * told here, so that the files and feeds that they are made of are closed.
   */
  #onClose(socket: Socket): void {
    const connection = this.#bySocket.get(socket);
    this.#bySocket.delete(socket);
    this.#strangers.delete(socket);
    if (connection?.isTooMany === false && !connection.gaveWay) this.#admitted--;
    if (connection?.isTooMany || connection?.gaveWay) this.#onOddEnd('too_many_connections');
    else if (connection?.last) this.#onOddEnd(connection.last.code);
    else if (connection?.hasFailed) this.#onOddEnd('socket');
    this.#inFlight -= connection?.counted.size ?? 0;
    connection?.counted.clear();
    const unfinished = [...(connection?.responses ?? [])];
    connection?.responses.clear();
    for (const response of unfinished) {
      if (response.socket !== null) continue;
      response.destroy();
      response.emit('close');
    }
  }

  /** A request that has not arrived as a whole has no answer to wait for; one whose answer has begun has no other. */
  #endIfAnswered(socket: Socket, connection: Connection, problem: Problem): void {
    const responses = [...connection.responses];
    if (connection.isEnded || responses.some(({req}) => req.complete)) return;
    const hasAnother = responses.some(({headersSent}) => headersSent);
    if (socket.writable && !hasAnother) socket.write(rawProblem(problem));
    this.#end(socket);
  }

  /**
   * Ends a connection behind everything that was written to it, however slowly that is read within the time that a peer may
   * stall, and reads it for a while longer, so that a reset does not eat what it was told.
   */
  #end(socket: Socket): void {
    const connection = this.#bySocket.get(socket);
    if (connection !== undefined) connection.isEnded = true;
    const force = setTimeout(() => socket.destroy(), this.#limits.stallTimeoutMs).unref();
    socket.once('close', () => clearTimeout(force));
    // What comes now is not looked at. Node's parser lets go of the socket when somebody else listens to it.
    socket.removeAllListeners('data').on('data', () => undefined);
    socket.resume();
    socket.end(() => setTimeout(() => socket.destroy(), DRAIN_MS).unref());
  }
}

/** What bytes that are no request, or not in time, are told; null where nobody is left to tell. */
function problemOfBytes({code = ''}: NodeJS.ErrnoException): Problem | null {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problemOf('request_timeout');
  if (code === 'HPE_HEADER_OVERFLOW') return problemOf('headers_too_large');
  return code.startsWith('HPE_') ? problemOf('malformed_http') : null;
}
