/**
 * `allocdb watch`: every change as it becomes durable, a line each, until it is interrupted, which is its ordinary end. It
 * then says which lsn comes next, from where a later one goes on without a gap.
 *
 * With `--resource` only what concerns one resource is shown. Most changes name a reservation and not its resources: those
 * are known from the change that made it, or asked for; of one that has been forgotten it is said that it is left out.
 */
import type {ClientChange} from '@allocdb/api';
import {type Change, type Client, isAllocDbError, type ReservationId, type ResourceId} from '@allocdb/client';
import type {Command} from 'commander';
import {positiveU64, whole} from '../arguments.ts';
import {type ConnectionFlags, withConnection} from '../connection.ts';
import {Interrupted} from '../interrupt.ts';
import {type Fields, OutputClosed} from '../output.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

interface WatchFlags extends ConnectionFlags {
  readonly from?: bigint;
  readonly resource?: ResourceId;
  readonly limit?: number;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('watch')
    .description('print every change as it becomes durable, until interrupted')
    .option('--from <lsn>', 'begin with this lsn; else with the next one', positiveU64)
    .option(
      '--resource <id>',
      'only what concerns this resource: a UUID, 32 hex digits, or name:TEXT',
      session.ids.resource,
    )
    .option('--limit <n>', 'end after so many', whole(1, Number.MAX_SAFE_INTEGER))
    .action((flags: WatchFlags) => watch(session, flags));
  withConnection(command, session.isConnected);
  addExamples(command, session, ['watch', 'watch --from 1 --limit 100 --json', 'watch --resource name:seat-12']);
}

async function watch(session: Session, flags: WatchFlags): Promise<void> {
  const client = await session.connect(flags);
  const {signal} = session.interrupt;
  const from = flags.from ?? (await nextLsn(session, client, flags));
  let next = from;
  let left = flags.limit ?? Number.MAX_SAFE_INTEGER;
  const filter = flags.resource === undefined ? null : new ResourceFilter(session, client, flags, flags.resource);
  try {
    for await (const change of client.changes({from, signal})) {
      if (filter === null || (await filter.concerns(change))) {
        await session.output.record(fieldsOf(change), ['client']);
        left--;
      }
      next = change.lsn + 1n;
      if (left === 0) break;
    }
  } catch (error) {
    if (error instanceof OutputClosed) throw error;
    if (!isInterrupted(error)) {
      if (next !== from) tellNext(session, next);
      throw error;
    }
  }
  tellNext(session, next);
}

/** The lsn behind the last one that is durable now. */
async function nextLsn(session: Session, client: Client, flags: WatchFlags): Promise<bigint> {
  const page = await session.call(flags, signal => client.scanResources({limit: 1}, {signal}));
  return ((page.result === 'page' ? page.lsn : page.lastAppliedLsn) ?? 0n) + 1n;
}

function tellNext(session: Session, next: bigint): void {
  session.output.tell({next}, `next is lsn ${next}`);
}

function isInterrupted(error: unknown): boolean {
  return error instanceof Interrupted || (isAllocDbError(error) && error.cause instanceof Interrupted);
}

/** A change, flat and in the words of the other commands. */
export function fieldsOf(change: Change): Fields {
  const {kind, lsn, slot, result} = change;
  const head = {kind, lsn, slot, result};
  switch (change.kind) {
    case 'create_resource':
      return {...head, resource: change.resource, ...senderOf(change)};
    case 'reserve':
    case 'reserve_bundle': {
      const {resources, holder, ttlSlots, lease} = change;
      const granted = {lease: lease?.id ?? null, deadlineSlot: lease?.deadlineSlot ?? null};
      return {...head, ...granted, resources, holder, ttlSlots, ...senderOf(change)};
    }
    case 'confirm':
    case 'release':
      return {...head, lease: change.reservation, holder: change.holder, epoch: change.epoch, ...senderOf(change)};
    case 'expire':
      return {...head, lease: change.reservation, deadlineSlot: change.deadlineSlot};
    default:
      return {...head, lease: change.reservation, ...senderOf(change)};
  }
}

function senderOf({operation, client}: ClientChange): Fields {
  return {operation, client};
}

/** Which changes concern one resource. */
class ResourceFilter {
  readonly #session: Session;
  readonly #client: Client;
  readonly #flags: ConnectionFlags;
  readonly #resource: ResourceId;
  /** Reservations that have not ended, and whether they hold the resource. */
  readonly #known: Map<ReservationId, boolean> = new Map();

  constructor(session: Session, client: Client, flags: ConnectionFlags, resource: ResourceId) {
    this.#session = session;
    this.#client = client;
    this.#flags = flags;
    this.#resource = resource;
  }

  async concerns(change: Change): Promise<boolean> {
    switch (change.kind) {
      case 'create_resource':
        return change.resource === this.#resource;
      case 'reserve':
      case 'reserve_bundle': {
        const concerned = change.resources.includes(this.#resource);
        if (change.lease !== null) this.#known.set(change.lease.id, concerned);
        return concerned;
      }
      default: {
        const concerned = this.#known.get(change.reservation) ?? (await this.#ask(change.reservation));
        const hasEnded = change.result === 'ok' && ENDS.has(change.kind);
        if (hasEnded) this.#known.delete(change.reservation);
        else this.#known.set(change.reservation, concerned);
        return concerned;
      }
    }
  }

  async #ask(reservation: ReservationId): Promise<boolean> {
    const answer = await this.#session.call(this.#flags, signal => this.#client.getLease(reservation, {signal}));
    if (answer.result === 'found') return answer.lease.resources.includes(this.#resource);
    this.#session.output.note(`lease ${reservation} is not known any more; what concerns it is left out`);
    return false;
  }
}

/** Changes after which a reservation is over. */
const ENDS: ReadonlySet<Change['kind']> = new Set(['release', 'reclaim', 'expire']);
