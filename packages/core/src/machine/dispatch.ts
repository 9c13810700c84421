/**
 * Which file runs which client command, and nothing else. The internal command has one kind only; alloc_db.ts calls
 * it directly.
 */
import {unreachable} from '../assert.ts';
import {COMMAND, type CommandTag} from '../command.ts';
import type {Outcome} from '../outcome.ts';
import type {ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';
import {confirm} from './confirm.ts';
import {createResource} from './create_resource.ts';
import {release} from './release.ts';
import {reserve} from './reserve.ts';
import {reclaim, revoke} from './revoke.ts';

/** Runs the decoded client command. */
export function runCommand(db: AllocDb, out: Outcome): ResultCode {
  const tag = db.command.tag as Exclude<CommandTag, typeof COMMAND.EXPIRE>;
  switch (tag) {
    case COMMAND.CREATE_RESOURCE:
      return createResource(db);
    case COMMAND.RESERVE:
    case COMMAND.RESERVE_BUNDLE:
      return reserve(db, out);
    case COMMAND.CONFIRM:
    case COMMAND.CONFIRM_FENCED:
      return confirm(db);
    case COMMAND.RELEASE:
    case COMMAND.RELEASE_FENCED:
      return release(db);
    case COMMAND.REVOKE:
      return revoke(db);
    case COMMAND.RECLAIM:
      return reclaim(db);
    default:
      return unreachable(tag);
  }
}
