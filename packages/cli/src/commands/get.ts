/**
 * `allocdb get`: shows a resource with its owner, deadline and time left, or, with `--reservation`, a lease. "Not there"
 * is an answer, and no.
 *
 * A resource and its owner are two reads, between which an owner may end; then both are read again. The lsn is one that
 * the answer reflects at least.
 */
import type {Client, FenceNotApplied, LeaseView, ReservationId, ResourceId, ResourceView} from '@allocdb/client';
import type {Command} from 'commander';
import {reservationArgument, u64} from '../arguments.ts';
import {type ConnectionFlags, withConnection} from '../connection.ts';
import {EXIT} from '../exit.ts';
import type {Fields} from '../output.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';
import {leaseFields, resourceFields} from '../shown.ts';
import {knownLsn, secondsLeft} from '../slots.ts';

interface GetFlags extends ConnectionFlags {
  readonly reservation?: true;
  readonly lsn?: bigint;
}

/** What is asked, and from which lsn on an answer is taken. */
interface Reading {
  readonly client: Client;
  readonly flags: GetFlags;
  readonly lsn: bigint;
}

/** Owners may follow each other faster than two reads; then the last resource is shown without its owner's deadline. */
const ATTEMPTS = 5;

export function register(program: Command, session: Session): void {
  const command = program
    .command('get')
    .description('show a resource and who owns it, or a lease')
    .argument('<id>', 'a UUID, 32 hex digits, or, of a resource, name:TEXT')
    .option('--reservation', 'the id is that of a lease, as reserve printed it')
    .option('--lsn <n>', 'refuse to answer from a state before this lsn', u64)
    .action((id: string, flags: GetFlags) =>
      flags.reservation === true
        ? getLease(session, reservationArgument(id), flags)
        : getResource(session, session.ids.resource(id), flags),
    );
  withConnection(command, session.isConnected);
  addExamples(command, session, [
    'get name:seat-12',
    'get 018f6c1e-0000-7000-8000-00000000002a --json',
    'get 000000000000000000000000000001a3 --reservation --lsn 419',
  ]);
}

async function begin(session: Session, flags: GetFlags): Promise<Reading> {
  const client = await session.connect(flags);
  const known = knownLsn(client);
  const lsn = flags.lsn !== undefined && flags.lsn > known ? flags.lsn : known;
  return {client, flags, lsn};
}

async function getResource(session: Session, id: ResourceId, flags: GetFlags): Promise<void> {
  const reading = await begin(session, flags);
  const {client, lsn} = reading;
  for (let attempt = 1; ; attempt++) {
    const answer = await session.call(flags, signal => client.getResource(id, {signal, requiredLsn: lsn}));
    if (answer.result === 'fence_not_applied') return tellFence(session, answer);
    if (answer.result !== 'found') return tell(session, {result: answer.result, resource: id, lsn}, EXIT.REFUSED);
    const {resource} = answer;
    const owner = resource.reservation === null ? null : await ownerOf(session, reading, resource.reservation);
    const isSettled = resource.reservation === null || owner?.state === resource.state;
    if (isSettled || attempt === ATTEMPTS) return tell(session, shownResource(client, resource, owner, lsn), EXIT.OK);
  }
}

/** The lease that owns a resource; null when it has ended since. */
async function ownerOf(session: Session, reading: Reading, id: ReservationId): Promise<LeaseView | null> {
  const {client, flags, lsn} = reading;
  const answer = await session.call(flags, signal => client.getLease(id, {signal, requiredLsn: lsn}));
  return answer.result === 'found' && answer.lease.releasedLsn === null ? answer.lease : null;
}

async function getLease(session: Session, id: ReservationId, flags: GetFlags): Promise<void> {
  const {client, lsn} = await begin(session, flags);
  const answer = await session.call(flags, signal => client.getLease(id, {signal, requiredLsn: lsn}));
  if (answer.result === 'fence_not_applied') return tellFence(session, answer);
  if (answer.result !== 'found') return tell(session, {result: answer.result, lease: id, lsn}, EXIT.REFUSED);
  return tell(session, {result: 'found', ...leaseFields(client, answer.lease), lsn}, EXIT.OK);
}

function shownResource(client: Client, resource: ResourceView, owner: LeaseView | null, lsn: bigint): Fields {
  const isHeld = owner !== null && owner.state === 'reserved';
  return {
    result: 'found',
    ...resourceFields(resource),
    holder: owner?.holder ?? null,
    epoch: owner?.epoch ?? null,
    deadlineSlot: isHeld ? owner.deadlineSlot : null,
    secondsLeft: isHeld ? secondsLeft(client, owner.deadlineSlot) : null,
    lsn,
  };
}

async function tellFence(session: Session, answer: FenceNotApplied): Promise<void> {
  const {result, requiredLsn, lastAppliedLsn} = answer;
  await tell(session, {result, requiredLsn, lsn: lastAppliedLsn ?? 0n}, EXIT.REFUSED);
}

async function tell(session: Session, fields: Fields, exitCode: number): Promise<void> {
  session.exitCode = exitCode;
  await session.output.record(fields);
}
