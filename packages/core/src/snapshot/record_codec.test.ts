import {createHash} from 'node:crypto';
import {describe, expect, test} from 'vitest';
import {Machine} from '../../test/machine.ts';
import {runTable} from '../../test/run_table.ts';
import {RESERVATION_STATE, RESOURCE_STATE} from '../result.ts';
import {GRANT_FLAG, OPERATION} from '../table/operation_table.ts';
import {OPERATION_RECORD, RECORD_FORMAT, RESERVATION_RECORD, RESOURCE_RECORD, SECTION} from './record_codec.ts';

/** Hash of the layout and digest of a fixed history, by RECORD_FORMAT. Entries are added and never changed. */
const FORMATS: Record<number, {layout: string; digest: string}> = {
  1: {layout: '55b780c72cd2ec76', digest: '3a9ac7b33ffbbd801c0770026f15961f'},
};

/** Everything that a stored record's meaning depends on; of an operation, the words that are stored as they are. */
const {TAG: _tag, WORDS: _words, ...STORED_OPERATION} = OPERATION;
const LAYOUT = {
  SECTION,
  RESOURCE_RECORD,
  RESERVATION_RECORD,
  OPERATION_RECORD,
  STORED_OPERATION,
  GRANT_FLAG,
  RESOURCE_STATE,
  RESERVATION_STATE,
};

/** Every command once, every kind of record, every state of a reservation. */
const HISTORY = `
  slot op  command               answer
     3  1  create r1             ok
     3  2  create r2             ok
     3  3  create r3             ok
     3  4  create r4             ok
     4  5  reserve A r1 h1 4     ok@8
     4  6  bundle B h2 9 r3 r2   ok@13
     5  7  confirm A h1          ok
     5  8  confirm B h2 e1       ok
     5  9  revoke A              ok
     6 10  reclaim A             ok
     6 11  reserve C r1 h3 1     ok@7
     7  -  expire C 7            ok
     7 12  reserve D r4 h4 10    ok@17
     7 13  release D h4 e1       ok
     7 14  reserve E r4 h4 10    reservation_table_full
    11 15  reserve F r4 h4 10    ok@21
    11 16  revoke B              ok
    11 17  reserve G r1 h5 2     ok@13
    11 18  release G h5          ok
    12 19  reserve H r1 h6 2     ok@14`;

describe('canonical records', () => {
  test('of a changed layout need a new RECORD_FORMAT', () => {
    const layout = createHash('sha256').update(JSON.stringify(LAYOUT)).digest('hex').slice(0, 16);
    const why =
      'stored records changed: raise RECORD_FORMAT, add an entry to FORMATS, tell the story in docs/storage.md';
    expect(FORMATS[RECORD_FORMAT]?.layout, why).toBe(layout);
  });

  test('of the same history have the same digest for ever', () => {
    const machine = runTable(HISTORY);
    const why = 'what is stored for the same commands changed: raise RECORD_FORMAT and add an entry to FORMATS';
    expect(FORMATS[RECORD_FORMAT]?.digest, why).toBe(machine.digest().toString(16));
  });

  test('do not depend on the seed of the index, nor on rows', () => {
    const one = runTable(HISTORY);
    expect(one.replayed().digest()).toBe(one.digest());
    expect(new Machine().digest()).not.toBe(one.digest());
  });
});
