/**
 * `allocdb list`: resources, or leases, a line each, with the lsn of the page that it stood on. A page is read when the one
 * before was printed, however many there are: each page is one moment, the list as a whole is none.
 */
import {
  type HolderId,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE_NAMES,
  type ReservationStateName,
  type ResourceStateName,
} from '@allocdb/api';
import type {Client} from '@allocdb/client';
import {type Command, Option} from 'commander';
import {whole} from '../arguments.ts';
import {type ConnectionFlags, withConnection} from '../connection.ts';
import {EXIT, fail} from '../exit.ts';
import type {Fields} from '../output.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';
import {leaseFields, resourceFields} from '../shown.ts';

interface ListFlags extends ConnectionFlags {
  readonly reservations?: true;
  readonly state?: string;
  readonly holder?: HolderId;
  readonly limit?: number;
}

/** A page, as lines. */
interface Lines {
  readonly lines: readonly Fields[];
  readonly lsn: bigint;
  readonly next: bigint | null;
}

type ReadPage = (position: bigint, limit: number, signal: AbortSignal) => Promise<Lines>;

const RESOURCE_STATES: readonly string[] = RESOURCE_STATE_NAMES.slice(1);
const LEASE_STATES: readonly string[] = RESERVATION_STATE_NAMES.slice(1);
/** What a page is asked to hold at most; the server may give less. */
const PAGE_MAX = 1000;

export function register(program: Command, session: Session): void {
  const command = program
    .command('list')
    .description('list resources, or leases')
    .option('--reservations', 'leases, live ones and those that ended a while ago, instead of resources')
    .option('--holder <id>', 'the leases of this holder: a UUID, 32 hex digits, or name:TEXT', session.ids.holder)
    .addOption(
      new Option('--state <state>', 'only those in this state').choices([
        ...new Set([...RESOURCE_STATES, ...LEASE_STATES]),
      ]),
    )
    .option('--limit <n>', 'at most so many', whole(1, Number.MAX_SAFE_INTEGER))
    .action((flags: ListFlags) => list(session, flags));
  withConnection(command, session.isConnected);
  addExamples(command, session, [
    'list --state available --limit 10',
    'list --holder name:order-4711',
    'list --reservations --state reserved --json',
  ]);
}

async function list(session: Session, flags: ListFlags): Promise<void> {
  const {state} = flags;
  const ofLeases = flags.reservations === true || flags.holder !== undefined;
  const states = ofLeases ? LEASE_STATES : RESOURCE_STATES;
  if (state !== undefined && !states.includes(state)) {
    const what = ofLeases ? 'leases' : 'resources';
    fail(EXIT.USAGE, `--state ${state}: ${what} are ${states.join(', ')}${ofLeases ? '' : '; see --reservations'}`);
  }
  const client = await session.connect(flags);
  const read = ofLeases ? leasePages(client, flags) : resourcePages(client, flags);
  let left = flags.limit ?? Number.MAX_SAFE_INTEGER;
  let count = 0;
  for (let position: bigint | null = 0n; position !== null && left > 0; ) {
    const at: bigint = position;
    const page = await session.call(flags, signal => read(at, Math.min(left, PAGE_MAX), signal));
    for (const line of page.lines) await session.output.record({...line, lsn: page.lsn});
    count += page.lines.length;
    left -= page.lines.length;
    position = left === 0 ? null : page.next;
    if (position === null) session.output.note(`${count} listed, the last at lsn ${page.lsn}`);
  }
}

function resourcePages(client: Client, flags: ListFlags): ReadPage {
  // Checked against the names before.
  const state = flags.state as ResourceStateName | undefined;
  return async (position, limit, signal) => {
    const page = await client.scanResources({state, position, limit}, {signal});
    if (page.result === 'fence_not_applied') throw fenceFailure(page.requiredLsn);
    return {lines: page.resources.map(resourceFields), lsn: page.lsn ?? 0n, next: page.next};
  };
}

function leasePages(client: Client, flags: ListFlags): ReadPage {
  const state = flags.state as ReservationStateName | undefined;
  const {holder} = flags;
  return async (position, limit, signal) => {
    const page = await client.scanReservations({holder, state, position, limit}, {signal});
    if (page.result === 'fence_not_applied') throw fenceFailure(page.requiredLsn);
    return {lines: page.leases.map(lease => leaseFields(client, lease)), lsn: page.lsn ?? 0n, next: page.next};
  };
}

function fenceFailure(lsn: bigint): Error {
  return fail(EXIT.FAILURE, `the server has lost lsn ${lsn}, which it had answered before`);
}
