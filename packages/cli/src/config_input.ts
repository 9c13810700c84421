/**
 * The configuration file that a command names: read, checked, and refused with the file's name and every offending field
 * in one message. Tables are allocated whole when a database opens, so one that this machine cannot hold is refused too,
 * before the operating system ends the process for it.
 */
import {totalmem} from 'node:os';
import {type DatabaseConfig, isOpenError, memoryBytesOf, parseConfig} from '@allocdb/node';
import {EXIT, fail} from './exit.ts';
import {readText} from './file_input.ts';

const MIB = 2 ** 20;

/** Reads a configuration file; ends the command with what is wrong with it. */
export function readConfig(file: string): DatabaseConfig {
  const config = parse(file, readText(file, '--config'));
  checkMemory(config, file);
  return config;
}

/** Ends the command when this machine cannot hold the tables; `source` is where the configuration comes from. */
export function checkMemory(config: DatabaseConfig, source: string): void {
  const [needed, available] = [memoryBytesOf(config.core), totalmem()];
  if (needed <= available) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  fail(
    EXIT.FAILURE,
    `${source}: the tables of this configuration take ${mib(needed)}, this machine has ${mib(available)}`,
    'invalid_config',
  );
}

function parse(file: string, text: string): DatabaseConfig {
  try {
    return parseConfig(text);
  } catch (error) {
    if (isOpenError(error)) return fail(EXIT.FAILURE, `${file}: ${error.message}`, error.code);
    throw error;
  }
}
