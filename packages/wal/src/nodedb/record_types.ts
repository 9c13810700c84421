/**
 * Every record type of a multi-model store by its name, and the registry that reads its log.
 *
 * The numbers are on disk: a test fixes number, name and flag of each, and the bytes of an example. A number is never
 * given to another meaning.
 */

import {RecordRegistry} from '../records/record_registry.ts';
import type {RecordType} from '../records/record_type.ts';
import {type ControlTypes, controlTypes} from './control_types.ts';
import {type DataTypes, dataTypes} from './data_types.ts';
import {type TransactionMember, transactionType} from './transaction.ts';

export interface NodedbTypes extends DataTypes, ControlTypes {
  readonly Transaction: RecordType<readonly TransactionMember[], 'Transaction'>;
}

export type NodedbTypeName = keyof NodedbTypes;

/** Any of the types; a `TypedRecord` of it is a union that its `type` tells apart. */
export type NodedbType = NodedbTypes[NodedbTypeName];

export const nodedbTypes: NodedbTypes = {...dataTypes, Transaction: transactionType, ...controlTypes};

/** A registry with all of these types and nothing else. */
export function createNodedbRegistry(): RecordRegistry<NodedbType> {
  return new RecordRegistry<NodedbType>(Object.values(nodedbTypes));
}
