/**
 * What a database holds after the workload, from its own tables and not from its answers: the lsn of the last command, and
 * every resource with its state and version. Operations and reservations that are over leave by themselves; lsns and
 * versions stay, and count what was done.
 *
 * A version rises with every change of its resource, and the workload changes one by reserve, confirm and release in turn:
 * so it says how many reservations there were, and what state the resource must be in.
 */
import {openRawConnection} from '@allocdb/client';
import {type ApiRequest, type ApiResponse, decodeResponse, encodeRequest, type SingleNodeEngine} from '@allocdb/node';
import {resourceIdOf} from './workload.ts';
import {SERVER_RESOURCES} from './workload_config.ts';

/** What somebody has who took the workload. */
export interface Holdings {
  /** Commands that were done, refusals too. */
  readonly operations: number;
  /** Reservations that were ever made. */
  readonly reservations: number;
  /** Resources that are held. */
  readonly held: number;
}

/** Requests that are outstanding at the same time. */
const TOGETHER = 1000;
/** States of a resource at versions 0, 1 and 2 of a cycle. */
const STATES = ['available', 'reserved', 'confirmed'] as const;

type Ask = (request: ApiRequest) => Promise<ApiResponse>;

/** Of a server that listens on this port of this machine, and that nobody else asks for anything. */
export async function serverHoldings(port: number): Promise<Holdings> {
  await using connection = await openRawConnection(`allocdb://127.0.0.1:${port}`);
  return await readHoldings(async request => decodeResponse(await connection.request(encodeRequest(request))));
}

/** Of an engine in this process. */
export function engineHoldings(engine: SingleNodeEngine): Promise<Holdings> {
  return readHoldings(request => engine.submit(request));
}

async function readHoldings(ask: Ask): Promise<Holdings> {
  let [reservations, held] = [0, 0];
  for (let first = 0; first < SERVER_RESOURCES; first += TOGETHER) {
    const asked = Array.from({length: TOGETHER}, (_, i) =>
      ask({type: 'get_resource', requiredLsn: null, resourceId: resourceIdOf(first + i)}),
    );
    for (const answer of await Promise.all(asked)) {
      if (answer.type !== 'resource_found') throw new Error(`a resource was answered by ${answer.type}`);
      const {state, version} = answer;
      if (state !== STATES[Number(version) % STATES.length]) {
        throw new Error(`a resource is ${state} at version ${version}`);
      }
      reservations += Math.ceil(Number(version) / STATES.length);
      if (state !== 'available') held++;
    }
  }
  const metrics = await ask({type: 'get_metrics', currentWallClockSlot: 0n});
  if (metrics.type !== 'metrics') throw new Error(`get_metrics was answered by ${metrics.type}`);
  return {operations: Number(metrics.lastAppliedLsn ?? 0n), reservations, held};
}
