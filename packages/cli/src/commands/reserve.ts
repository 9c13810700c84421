/**
 * `allocdb reserve`: holds resources for a holder until a deadline. Several are one bundle: all of them or none.
 */
import type {HolderId, OperationId, ReserveAnswer, ResourceId} from '@allocdb/client';
import {type Command, Option} from 'commander';
import {duration, positiveU64} from '../arguments.ts';
import {type ConnectionFlags, withConnection} from '../connection.ts';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';
import {secondsLeft, slotsOf} from '../slots.ts';

interface ReserveFlags extends ConnectionFlags {
  readonly holder: HolderId;
  readonly ttlSlots?: bigint;
  /** Milliseconds. */
  readonly hold?: number;
  readonly operation?: OperationId;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('reserve')
    .description('hold resources until a deadline; several are a bundle, all or none')
    .argument('<id...>', 'UUIDs, 32 hex digits, or name:TEXT', session.ids.resources)
    .requiredOption('--holder <id>', 'who holds them: a UUID, 32 hex digits, or name:TEXT', session.ids.holder)
    .option('--ttl-slots <n>', 'for so many slots', positiveU64)
    .addOption(new Option('--hold <time>', 'or for so long: 30s, 10m').argParser(duration).conflicts('ttlSlots'))
    .option('--operation <id>', 'the operation, for a repetition; else a fresh one', session.ids.operation)
    .action((ids: readonly ResourceId[], flags: ReserveFlags) => reserve(session, ids, flags));
  withConnection(command, session.isConnected);
  addExamples(command, session, [
    'reserve name:seat-12 --holder name:order-4711 --hold 10m',
    'reserve name:seat-12 name:seat-13 --holder name:order-4711 --ttl-slots 600 --json',
  ]);
}

async function reserve(session: Session, resources: readonly ResourceId[], flags: ReserveFlags): Promise<void> {
  const {holder, ttlSlots: givenSlots, hold} = flags;
  if (givenSlots === undefined && hold === undefined) {
    fail(EXIT.USAGE, "reserve needs '--ttl-slots <n>' or '--hold <time>'");
  }
  const client = await session.connect(flags);
  const ttlSlots = givenSlots ?? slotsOf(client, hold ?? 0);
  const rest = {holder, ttlSlots, operationId: session.beginOperation(flags.operation)};
  const [resource] = resources;
  const answer = await session.call<ReserveAnswer>(flags, signal =>
    resources.length === 1 && resource !== undefined
      ? client.reserve({resource, ...rest}, {signal})
      : client.reserveBundle({resources, ...rest}, {signal}),
  );
  const granted = answer.result === 'reserved' ? answer.lease : null;
  const fields = {
    lease: granted?.id ?? null,
    epoch: granted?.epoch ?? null,
    deadlineSlot: granted?.deadlineSlot ?? null,
    secondsLeft: granted === null ? null : secondsLeft(client, granted.deadlineSlot),
    holder,
    resources,
  };
  await session.answer(answer, 'reserved', fields, ['holder', 'resources']);
}
