/**
 * What a data directory was created with, for tools that look at one as it is: also where its CONFIG is gone or damaged,
 * which is then said and not thrown. Read-only, without a lock: CONFIG never changes after creation.
 */
import {type FileIo, nodeFileIo} from '@allocdb/wal';
import type {DatabaseConfig} from '../config.ts';
import {isOpenError} from '../errors.ts';
import {readConfigFile} from '../storage/config_file.ts';
import {openErrorOf} from '../storage/data_directory.ts';

/** What CONFIG says, or why it says nothing. */
export interface DirectoryConfig {
  /** Null where there is none, and where there is a problem. */
  readonly config: DatabaseConfig | null;
  /** Milliseconds of a slot, where the creator's clock counted them. */
  readonly slotMs: number | null;
  /** What is wrong with CONFIG, or with reading it; null where nothing is, and where none is there. */
  readonly problem: string | null;
}

/** Reads CONFIG of a directory. Never throws for what it finds. */
export function readDirectoryConfig(dir: string, io: FileIo = nodeFileIo): DirectoryConfig {
  try {
    const created = readConfigFile(io, dir);
    return {config: created?.config ?? null, slotMs: created?.slotMs ?? null, problem: null};
  } catch (error) {
    const opened = openErrorOf(error, dir);
    // One whose checksum holds is JSON; what is none is damage too.
    if (!isOpenError(opened) && !(opened instanceof SyntaxError)) throw opened;
    return {config: null, slotMs: null, problem: opened.message};
  }
}
