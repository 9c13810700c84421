/**
 * A transaction: several data records in the payload of one, so that a crash leaves all of them or none.
 *
 * Payload: member count u32, then for each member its type u16, payload length u32 and payload. Members are data records
 * only: book-keeping is read by scans that do not look inside, and a transaction in a transaction would say nothing more.
 */

import type {PayloadReader} from '../records/payload_reader.ts';
import type {PayloadWriter} from '../records/payload_writer.ts';
import {defineRecordType, type RecordType} from '../records/record_type.ts';
import {type DataTypeName, dataTypes, isDataTypeName, PAYLOAD_BYTES_MAX} from './data_types.ts';

/** One write of a transaction. */
export interface TransactionMember {
  readonly type: DataTypeName;
  readonly payload: Uint8Array;
}

/** Type and length of a member, before its payload. */
const MEMBER_BYTES_MIN = 6;

const NAME_OF: ReadonlyMap<number, DataTypeName> = new Map(
  Object.values(dataTypes).map(type => [type.id, type.name] as const),
);

export const transactionType: RecordType<readonly TransactionMember[], 'Transaction'> = defineRecordType({
  id: 50,
  name: 'Transaction',
  required: true,
  maxBytes: PAYLOAD_BYTES_MAX,
  encode: writeMembers,
  decode: readMembers,
});

function writeMembers(members: readonly TransactionMember[], writer: PayloadWriter): void {
  writer.u32(members.length);
  for (const {type, payload} of members) {
    if (!isDataTypeName(type)) throw new RangeError(`a ${type} is no member of a transaction`);
    writer.u16(dataTypes[type].id);
    writer.bytes(payload, PAYLOAD_BYTES_MAX);
  }
}

function readMembers(reader: PayloadReader): TransactionMember[] {
  const count = reader.u32();
  // Before the loop, so that a count out of nowhere is refused at once and not after so many members.
  if (count * MEMBER_BYTES_MIN > reader.left) throw new RangeError(`${count} members do not fit the payload`);
  const members: TransactionMember[] = [];
  for (let index = 0; index < count; index++) {
    const id = reader.u16();
    const type = NAME_OF.get(id);
    if (type === undefined) throw new RangeError(`member ${index} has type ${id}, which is no data type`);
    members.push({type, payload: reader.bytes(PAYLOAD_BYTES_MAX)});
  }
  return members;
}
