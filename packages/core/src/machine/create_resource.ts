/**
 * create_resource(resource_id): puts a resource into the table, available, at version 0. Resources are never removed, so
 * the only refusals are that it exists and that the table is full, in this order.
 */
import {REG} from '../command.ts';
import {RESULT, type ResultCode} from '../result.ts';
import type {AllocDb} from './alloc_db.ts';

export function createResource(db: AllocDb): ResultCode {
  const w = db.command.words;
  const [w0, w1, w2, w3] = [w[REG.SUBJECT], w[REG.SUBJECT + 1], w[REG.SUBJECT + 2], w[REG.SUBJECT + 3]];
  if (db.resources.find(w0, w1, w2, w3) >= 0) return RESULT.ALREADY_EXISTS;
  if (db.resources.count >= db.resources.capacity) return RESULT.RESOURCE_TABLE_FULL;

  db.resources.insert(w0, w1, w2, w3);
  return RESULT.OK;
}
