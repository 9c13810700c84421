#!/usr/bin/env node
/**
 * The `allocdb` command: parses the command line and runs one command. Answers go to stdout, everything else to stderr;
 * exit codes are those of exit.ts. Wrong usage names the flag and exits 64.
 */
import {readFileSync} from 'node:fs';
import {DEFAULT_CHECKPOINT, isOpenError} from '@allocdb/node';
import type {ListenAddress} from '@allocdb/server';
import {Command, CommanderError, InvalidArgumentError} from 'commander';
import {type ApiFlags, api} from './commands/api.ts';
import {MIB, type ServeFlags, serve} from './commands/serve.ts';
import {type VerifyFlags, verify} from './commands/verify.ts';
import {CommandFailure, EXIT} from './exit.ts';

const everyMib = DEFAULT_CHECKPOINT.everyLogBytes / MIB;
const mibPerSecond = DEFAULT_CHECKPOINT.bytesPerSecond / MIB;

function whole(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function u64(text: string): bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > 0xffff_ffff_ffff_ffffn) {
    throw new InvalidArgumentError('must be a whole number below 2^64.');
  }
  return BigInt(text);
}

function listenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw new InvalidArgumentError('must be HOST:PORT, such as 127.0.0.1:7433.');
  return {host, port};
}

/** The version in this package's manifest, which lies beside both `src` and `dist`. */
function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return String((manifest as {version?: unknown}).version);
}

function program(): Command {
  const command = new Command('allocdb')
    .description('A durable database that hands out scarce things exactly once.')
    .version(ownVersion(), '--version')
    .showHelpAfterError('(--help shows the usage)');
  command
    .command('serve')
    .argument('<dir>', 'data directory; created when it is not there')
    .description('run the server until SIGTERM')
    .option('--listen <host:port>', 'address to listen on; port 0 takes a free one', listenAddress, {
      host: '127.0.0.1',
      port: 7433,
    })
    .option('--config <file>', 'configuration (JSON) of a new directory; must agree with an existing one')
    .option('--slot-ms <n>', 'length of a slot of time in milliseconds', whole(1, 3_600_000), 100)
    .option('--trust-client-slots', 'let clients state slots and tick: time is theirs', false)
    .option('--token-file <file>', 'let in only who presents the token in this file')
    .option('--max-connections <n>', 'most connections at a time', whole(1, 100_000), 1000)
    .option('--checkpoint-every-mib <n>', 'log bytes between checkpoints', whole(1, 1_000_000), everyMib)
    .option('--checkpoint-mib-per-second <n>', 'disk rate of a checkpoint', whole(1, 100_000), mibPerSecond)
    .option('--retain-log-mib <n>', 'log kept beyond what recovery needs', whole(0, 100_000_000), 8192)
    .action((dir: string, flags: ServeFlags) => serve(dir, flags));
  command
    .command('api')
    .argument('<dir>', 'data directory; created when it is not there')
    .description('answer length-prefixed API frames from stdin on stdout, with an engine in this process')
    .requiredOption('--config <file>', 'configuration (JSON) of the directory')
    .option('--start-lsn <n>', 'begin a new directory behind this lsn', u64)
    .option('--start-slot <n>', 'begin a new directory at this slot', u64)
    .action((dir: string, flags: ApiFlags) => api(dir, flags));
  command
    .command('verify')
    .argument('[dir]', 'data directory; not one that a server is using')
    .description('check log, snapshots, invariants and digests, and what clients were told; changes nothing')
    .option('--history <file>', 'client history (JSON lines) to check, against the directory where one is given')
    .option('--findings <n>', 'most findings of each check of a history to print', whole(1, 1_000_000), 10)
    .option('--json', 'print the report as JSON', false)
    .action((dir: string | undefined, flags: VerifyFlags) => {
      process.exitCode = verify(dir, flags);
    });
  return command;
}

async function main(): Promise<void> {
  const command = program();
  for (const each of [command, ...command.commands]) each.exitOverride();
  try {
    await command.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Says what went wrong, as briefly as it can be said, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
  if (error instanceof CommandFailure) {
    process.stderr.write(`allocdb: ${error.message}\n`);
    return error.exitCode;
  }
  const isSystem = error instanceof Error && 'syscall' in error;
  const message =
    error instanceof Error && !isOpenError(error) && !isSystem ? error.stack : String((error as Error).message);
  process.stderr.write(`allocdb: ${message}\n`);
  return EXIT.FAILURE;
}

await main();
