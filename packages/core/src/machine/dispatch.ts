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

const {CREATE_RESOURCE, RESERVE, RESERVE_BUNDLE, CONFIRM, CONFIRM_FENCED, RELEASE, RELEASE_FENCED, REVOKE, RECLAIM} =
  COMMAND;

/** Runs the decoded client command. */
export function runCommand(db: AllocDb, out: Outcome): ResultCode {
  const tag = db.command.tag as Exclude<CommandTag, typeof COMMAND.EXPIRE>;
  switch (tag) {
    case CREATE_RESOURCE:
      return createResource(db);
    case RESERVE:
    case RESERVE_BUNDLE:
      return reserve(db, out);
    case CONFIRM:
    case CONFIRM_FENCED:
      return confirm(db);
    case RELEASE:
    case RELEASE_FENCED:
      return release(db);
    case REVOKE:
      return revoke(db);
    case RECLAIM:
      return reclaim(db);
    default:
      return unreachable(tag);
  }
}
