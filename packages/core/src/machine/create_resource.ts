/**
 * create_resource(resource_id): puts a resource into the table, available, at version 0. Resources are never removed, so
 * the only refusals are that it exists and that the table is full, in this order.
 */
import {REG} from '../command.ts';
import {RESULT, type ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';

const {SUBJECT} = REG;
const {ALREADY_EXISTS, RESOURCE_TABLE_FULL, OK} = RESULT;

export function createResource(db: AllocDb): ResultCode {
  const w = db.command.words;
  const w0 = w[SUBJECT];
  const w1 = w[SUBJECT + 1];
  const w2 = w[SUBJECT + 2];
  const w3 = w[SUBJECT + 3];
  if (db.resources.find(w0, w1, w2, w3) >= 0) return ALREADY_EXISTS;
  if (db.resources.count >= db.resources.capacity) return RESOURCE_TABLE_FULL;

  db.resources.insert(w0, w1, w2, w3);
  return OK;
}
