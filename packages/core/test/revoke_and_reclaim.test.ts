import {describe, test} from 'vitest';
import {runTable} from './run_table.ts';

describe('revoke', () => {
  test('refuses in the documented order, then fences the holder off', () => {
    runTable(
      `slot op  command              answer
          5  1  revoke #3            reservation_not_found
          5  2  create r1            ok
          5  3  create r2            ok
          5  4  bundle A h1 10 r1 r2 ok@15
          5  5  revoke ~4            reservation_not_found
          5  6  revoke A             invalid_state          -- only a sale can be revoked
          6  7  confirm A h1         ok
          7  8  revoke A             ok
          7  8  revoke A             again:ok
          7  -  lease A              revoking/h1/e2/r1+r2
          7  -  resource r1          revoking/A/v3
          7  -  resource r2          revoking/A/v3
          7  9  revoke A             invalid_state
          7 10  reserve B r1 h2 1    resource_busy          -- not reusable yet
          8 11  reclaim A            ok
          8 12  revoke A             reservation_retired`,
    );
  });

  test('lasts until it is reclaimed: no slot ends it', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r1 h1 10   ok@15
          6  3  confirm A h1         ok
          7  4  revoke A             ok
        900  -  due                  none
        900  5  create r2            ok
        900  -  lease A              revoking/h1/e2/r1
        900  6  reserve B r1 h2 1    resource_busy`,
    );
  });
});

describe('reclaim', () => {
  test('refuses in the documented order, then makes the members available', () => {
    runTable(
      `slot op  command              answer
          5  1  reclaim #2           reservation_not_found
          5  2  create r1            ok
          5  3  create r2            ok
          5  4  bundle A h1 10 r2 r1 ok@15
          5  5  reclaim A            invalid_state
          6  6  confirm A h1         ok
          6  7  reclaim A            invalid_state          -- revoke comes first
          7  8  revoke A             ok
          8  9  reclaim A            ok
          8  9  reclaim A            again:ok
          8  -  lease A              revoked/h1/e2/r2+r1/until11
          8  -  resource r1          available/-/v4
          8  -  resource r2          available/-/v4
          8 10  reclaim A            reservation_retired
          8 11  reserve B r1 h2 1    ok@9`,
    );
  });
});
