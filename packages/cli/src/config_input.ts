/**
 * The configuration file that a command names: read, checked, and refused with the file's name and every offending field
 * in one message. Tables are allocated whole when a database opens, so one that this machine cannot hold is refused too,
 * before the operating system ends the process for it.
 */
import {readFileSync} from 'node:fs';
import {totalmem} from 'node:os';
import {type DatabaseConfig, isOpenError, memoryBytesOf, parseConfig} from '@allocdb/node';
import {EXIT, fail} from './exit.ts';

const MIB = 2 ** 20;

/** Reads a configuration file; ends the command with what is wrong with it. */
export function readConfig(file: string): DatabaseConfig {
  const config = parse(file, readText(file, '--config'));
  const [needed, available] = [memoryBytesOf(config.core), totalmem()];
  if (needed <= available) return config;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  return fail(
    EXIT.FAILURE,
    `${file}: the tables of this configuration take ${mib(needed)}, this machine has ${mib(available)}`,
  );
}

/** Reads a file that a flag names. */
export function readText(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return fail(EXIT.FAILURE, `${flag} ${file} cannot be read: ${(error as Error).message}`);
  }
}

function parse(file: string, text: string): DatabaseConfig {
  try {
    return parseConfig(text);
  } catch (error) {
    if (isOpenError(error)) return fail(EXIT.FAILURE, `${file}: ${error.message}`);
    throw error;
  }
}
