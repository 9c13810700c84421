import {describe, test} from 'vitest';
import {runTable} from './run_table.ts';

/** Operations 1 to 3: resources 1 and 2, held together as A by holder 1 until slot 15. */
const HOLD = `
          5  1  create r1           ok
          5  2  create r2           ok
          5  3  bundle A h1 10 r1 r2  ok@15`;

describe('confirm', () => {
  test('refuses in the documented order, then sells', () => {
    runTable(
      `slot op  command              answer
          5  0  confirm #3 h1        reservation_not_found
          ${HOLD}
          5  4  confirm #9 h1        reservation_not_found
          5  5  confirm ~4 h1        reservation_not_found  -- the same lsn of another shard
          5  6  confirm A h2 e9      holder_mismatch        -- before the epoch
          5  7  confirm A h1 e2      stale_epoch
          5  8  confirm A h1 e0      stale_epoch
          5  -  resource r1          reserved/A/v1
          6  9  confirm A h1         ok
          6  9  confirm A h1         again:ok
          6  -  lease A              confirmed/h1/e1/r1+r2
          6  -  resource r1          confirmed/A/v2
          6  -  resource r2          confirmed/A/v2
          6 10  confirm A h1         invalid_state
          6 11  confirm A h2         holder_mismatch        -- before the state
          6 12  confirm A h1 e2      stale_epoch            -- before the state
         15  -  due                  none                   -- it has left the wheel
         15 10  confirm A h1         again:invalid_state`,
    );
  });

  test('with the right epoch does the same; it is another command than the one without', () => {
    runTable(
      `slot op  command              answer
          ${HOLD}
          5  4  confirm A h1 e1      ok
          5  4  confirm A h1 e1      again:ok
          5  4  confirm A h1         again:operation_conflict
          5  -  lease A              confirmed/h1/e1/r1+r2`,
    );
  });

  test('of what is over is refused as retired, whoever asks', () => {
    runTable(
      `slot op  command              answer
          ${HOLD}
          6  4  release A h1         ok
          6  5  confirm A h2 e9      reservation_retired
          6  6  confirm A h1 e2      reservation_retired`,
    );
  });

  test('of what is being revoked is refused by its state', () => {
    runTable(
      `slot op  command              answer
          ${HOLD}
          6  4  confirm A h1         ok
          6  5  revoke A             ok
          6  6  confirm A h1 e1      stale_epoch
          6  7  confirm A h1 e2      invalid_state
          6  8  confirm A h1         invalid_state`,
    );
  });
});

describe('release', () => {
  test('refuses in the documented order, then gives a hold back', () => {
    runTable(
      `slot op  command              answer
          5  0  release #4 h1        reservation_not_found
          ${HOLD}
          5  4  release ~4 h1        reservation_not_found
          5  5  release A h2 e9      holder_mismatch
          5  6  release A h1 e2      stale_epoch
          6  7  release A h1         ok
          6  7  release A h1         again:ok
          6  -  lease A              released/h1/e2/r1+r2/until9
          6  -  resource r1          available/-/v2
          6  -  resource r2          available/-/v2
          6  8  release A h1         reservation_retired
          6  9  release A h2 e9      reservation_retired
         15  -  due                  none
         15  8  release A h1         again:reservation_retired`,
    );
  });

  test('gives a sale back too, also by its epoch', () => {
    runTable(
      `slot op  command              answer
          ${HOLD}
          6  4  confirm A h1         ok
          7  5  release A h1 e1      ok
          7  -  lease A              released/h1/e2/r1+r2/until10
          7  -  resource r1          available/-/v3
          7  6  reserve B r1 h2 3    ok@10
          7  -  resource r1          reserved/B/v4`,
    );
  });

  test('of what is being revoked or was revoked is refused', () => {
    runTable(
      `slot op  command              answer
          ${HOLD}
          6  4  confirm A h1         ok
          6  5  revoke A             ok
          6  6  release A h1 e1      stale_epoch
          6  7  release A h1 e2      invalid_state
          6  8  release A h1         invalid_state
          6  9  reclaim A            ok
          6 10  release A h1 e2      reservation_retired`,
    );
  });

  test('whose history would end after the end of time must not be logged', () => {
    runTable(
      `slot   op  command            answer
       max-40  1  create r1           ok
       max-30  2  reserve A r1 h1 10  ok@${2n ** 64n - 1n - 20n}
        max-2  3  release A h1        overflow:reservation_history
        max-2  4  reclaim A           overflow:reservation_history
        max-2  5  confirm A h1        overflow:operation_window
        max-2  -  lease A             reserved/h1/e1/r1
        max-5  6  release A h1        overflow:operation_window
       max-15  7  release A h1        ok
       max-15  -  lease A             released/h1/e2/r1/until${2n ** 64n - 1n - 12n}`,
    );
  });
});
