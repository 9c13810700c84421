/**
 * What confirm, release, revoke and reclaim have in common: they name one reservation, and their answer is its name. A
 * holder's commands show who the holder is; an operator's overrule him.
 */
import type {AnswerBase, CallOptions, Client, HolderId, OperationId, ReservationId} from '@allocdb/client';
import type {Command} from 'commander';
import {reservationArgument, u64} from './arguments.ts';
import {type ConnectionFlags, withConnection} from './connection.ts';
import {addExamples} from './program.ts';
import type {Session} from './session.ts';

interface OperatorFlags extends ConnectionFlags {
  readonly operation?: OperationId;
}

interface HolderFlags extends OperatorFlags {
  readonly holder: HolderId;
  readonly epoch?: bigint;
}

/** What is particular to one of them. */
interface ReservationCommand<Input> {
  readonly name: string;
  readonly description: string;
  /** What its answer is called when it was done. */
  readonly yes: string;
  /** Flags of the examples, behind the name and the reservation. */
  readonly examples: readonly string[];
  call(client: Client, input: Input, options: CallOptions): Promise<AnswerBase & {result: string}>;
}

interface OperatorInput {
  readonly reservation: ReservationId;
  readonly operationId: OperationId;
}

interface HolderInput extends OperatorInput {
  readonly holder: HolderId;
  readonly epoch: bigint | undefined;
}

const EXAMPLE_LEASE = '000000000000000000000000000001a3';

/** Registers a command of a holder. */
export function registerHolderCommand(
  program: Command,
  session: Session,
  particular: ReservationCommand<HolderInput>,
): void {
  const command = begin(program, session, particular)
    .requiredOption('--holder <id>', 'whose it is: a UUID, 32 hex digits, or name:TEXT', session.ids.holder)
    .option('--epoch <n>', 'only if its epoch is this one: nobody took it away in between', u64)
    .action(async (reservation: ReservationId, flags: HolderFlags) => {
      const client = await session.connect(flags);
      const {holder, epoch} = flags;
      const input = {reservation, holder, epoch, operationId: session.beginOperation(flags.operation)};
      const answer = await session.call(flags, signal => particular.call(client, input, {signal}));
      const fields = {lease: reservation, holder, epoch: epoch ?? null};
      await session.answer(answer, particular.yes, fields, ['lease', 'holder', 'epoch']);
    });
  withConnection(command, session.isConnected);
}

/** Registers a command of an operator. */
export function registerOperatorCommand(
  program: Command,
  session: Session,
  particular: ReservationCommand<OperatorInput>,
): void {
  const command = begin(program, session, particular).action(
    async (reservation: ReservationId, flags: OperatorFlags) => {
      const client = await session.connect(flags);
      const input = {reservation, operationId: session.beginOperation(flags.operation)};
      const answer = await session.call(flags, signal => particular.call(client, input, {signal}));
      await session.answer(answer, particular.yes, {lease: reservation}, ['lease']);
    },
  );
  withConnection(command, session.isConnected);
}

function begin<Input>(program: Command, session: Session, particular: ReservationCommand<Input>): Command {
  const {name, description, examples} = particular;
  const command = program
    .command(name)
    .description(description)
    .argument('<lease>', 'the id that reserve printed', reservationArgument)
    .option('--operation <id>', 'the operation, for a repetition; else a fresh one', session.ids.operation);
  addExamples(
    command,
    session,
    examples.map(flags => `${name} ${EXAMPLE_LEASE}${flags === '' ? '' : ` ${flags}`}`),
  );
  return command;
}
