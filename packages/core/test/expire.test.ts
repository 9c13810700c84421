import {describe, expect, test} from 'vitest';
import {runTable} from './run_table.ts';

describe('expire', () => {
  test('refuses in the documented order, then ends the hold', () => {
    runTable(
      `slot op  command              answer
          5  -  expire #2 15         reservation_not_found
          5  2  create r1            ok
          5  3  create r2            ok
          5  4  bundle A h1 10 r1 r2 ok@15
          5  -  expire ~4 15         reservation_not_found
         15  -  expire A 14          noop
         15  -  due                  A
         15  -  expire A 15          ok
         15  -  due                  none
         15  -  lease A              expired/h1/e2/r1+r2/until18
         15  -  resource r1          available/-/v2
         15  -  resource r2          available/-/v2
         15  -  expire A 15          noop
         18  -  expire A 15          noop
         19  -  expire A 15          reservation_not_found  -- its history has ended`,
    );
  });

  test('is a noop for what was confirmed, released or revoked in the meantime', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  reserve A r1 h1 10   ok@15
          5  4  reserve B r2 h1 10   ok@15
          6  5  confirm A h1         ok
          6  6  release B h1         ok
          6  -  expire A 15          noop
          6  -  expire B 15          noop
          6  7  revoke A             ok
          6  -  expire A 15          noop
          6  8  reclaim A            ok
          6  -  expire A 15          noop
          6  -  lease A              revoked/h1/e2/r1/until9`,
    );
  });

  test('is not compared with the slot: the log decides, so a late confirm wins and an early record counts', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  reserve A r1 h1 10   ok@15
          5  4  reserve B r2 h1 10   ok@15
         99  -  due                  A,B
         99  5  confirm A h1         ok                     -- late, and nobody had ended it
         99  -  due                  B
         99  -  expire A 15          noop
         99  -  expire B 15          ok
         99  6  confirm B h1         reservation_retired`,
    );
  });

  test('is not remembered as an operation', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r1 h1 10   ok@15
         15  -  used                 1/2
         15  -  expire A 15          ok
         15  -  used                 1/2`,
    );
  });

  test('whose history would end after the end of time must not be logged', () => {
    runTable(
      `slot   op  command            answer
       max-40  1  create r1           ok
       max-20  2  reserve A r1 h1 5   ok@${2n ** 64n - 1n - 15n}
        max-2  -  expire A max-15     overflow:reservation_history
        max-2  -  lease A             reserved/h1/e1/r1
        max-3  -  expire A max-15     ok
        max-3  -  lease A             expired/h1/e2/r1/until${2n ** 64n - 1n}
          max  -  lease A             expired/h1/e2/r1/until${2n ** 64n - 1n}`,
    );
  });
});

describe('what is due', () => {
  test('comes by deadline, then by id, as much as is asked for', () => {
    const machine = runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  create r3            ok
          5  4  create r4            ok
          5  5  reserve A r1 h1 9    ok@14
          5  6  reserve B r2 h1 3    ok@8
          6  7  reserve C r3 h1 8    ok@14
          6  8  reserve D r4 h1 1    ok@7
          6  -  due                  none
          7  -  due                  D
         13  -  due                  D,B
         14  -  due                  D,B,A,C
        max  -  due                  D,B,A,C`,
    );
    expect(machine.due(14n, 3)).toEqual(machine.due(14n).slice(0, 3));
    expect(machine.due(14n, 0)).toEqual([]);
  });

  test('shares buckets over several laps when ticks lag', () => {
    // Eleven buckets: deadlines 8, 19 and 30 meet in one.
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  create r3            ok
          5  4  create r4            ok
          5  5  reserve A r1 h1 3    ok@8
         10  6  reserve B r2 h1 9    ok@19
         21  7  reserve C r3 h1 9    ok@30
         21  8  reserve D r4 h1 9    expiration_index_full
         21  9  reserve D r4 h1 8    ok@29
         18  -  due                  A
         19  -  due                  A,B
         29  -  due                  A,B,D
         30  -  due                  A,B,D,C
         31  -  expire B 19          ok
         31  -  due                  A,D,C`,
      {maxExpirationBucketLen: 3, maxReservations: 5},
    );
  });
});
