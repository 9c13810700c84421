import {describe, expect, test} from 'vitest';
import {type ClientRequest, OPERATION} from '../src/index.ts';
import {Machine} from './machine.ts';
import {runTable} from './run_table.ts';

describe('an operation', () => {
  test('is remembered through the last slot of its window and executed anew after it', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
         20  1  create r1            again:ok               -- 5 + 15 is the last slot
         20  1  create r2            again:operation_conflict
         20  -  used                 0/1
         21  1  create r1            already_exists         -- a new command, with a new record
         36  1  create r1            again:already_exists
         37  1  create r2            ok`,
    );
  });

  test('window of its own is independent of the longest hold', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          6  1  create r1            again:ok
          7  1  create r1            already_exists`,
      {operationWindowSlots: 1n},
    );
  });

  test('repeated with an old slot is judged by the present one', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
         21  2  create r2            ok
          5  1  create r1            already_exists`,
    );
  });

  test('is known by its id alone: another client repeats it, another command conflicts with it', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r1 h1 4    ok@9
          6  2  reserve A r1 h1 4    again:ok@9             -- the slot is the client's id here
          6  2  reserve A r1 h1 5    again:operation_conflict
          6  2  reserve A r1 h2 4    again:operation_conflict
          6  2  reserve A r2 h1 4    again:operation_conflict
          6  2  confirm A h1         again:operation_conflict
          6  2  reserve A r1 h1 4    again:ok@9             -- a conflict leaves no trace`,
    );
  });

  test('that was refused for want of room is not remembered', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          6  2  create r2            ok
          6  3  create r3            operation_table_full
          6  3  create r3            operation_table_full   -- again a new command
          6  -  resource r3          none
          6  1  create r1            again:ok
          6  -  used                 0/2
         20  3  create r3            operation_table_full
         21  3  create r3            ok                     -- one has left its window
         21  4  create r4            operation_table_full
         22  4  create r4            ok`,
      {maxOperations: 2},
    );
  });

  test('that comes again while its dead record is not removed yet gets a record of its own', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  create r3            ok
          5  4  create r4            ok
          5  5  create r5            ok
          5  6  create r6            ok
         30  6  create r6            already_exists         -- six are dead, two are removed
         30  5  create r5            already_exists
         30  -  used                 0/2
         30  6  create r6            again:already_exists
         31  1  create r1            already_exists
         31  5  create r1            again:operation_conflict
         31  -  used                 0/3`,
      {maxOperations: 6},
    );
  });

  test('window that does not fit below the end of time is refused before the command is logged', () => {
    runTable(
      `slot   op  command            answer
       max-14  1  create r1           overflow:operation_window
       max-15  1  create r1           ok
          max  1  create r1           again:ok               -- known: nothing is logged
          max  2  create r2           overflow:operation_window`,
    );
  });
});

test('a repeat is the same command only if all lanes of its fingerprint are', () => {
  for (let lane = 0; lane < 4; lane++) {
    const machine = new Machine();
    const request: ClientRequest = {operationId: 1n, clientId: 1n, command: {kind: 'create_resource', resourceId: 1n}};
    machine.submit(5n, request);
    expect(machine.submit(5n, request)).toMatchObject({code: 'ok', retry: true});
    machine.db.operations.words[OPERATION.FINGERPRINT + lane] ^= 1;
    expect(machine.submit(5n, request)).toMatchObject({code: 'operation_conflict', retry: true});
  }
});

describe('a reservation that is over', () => {
  test('is readable through the last slot of its window, then retired for good', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r1 h1 10   ok@15
          5  -  lease #9             not_found
          5  -  lease #0             not_found              -- no watermark yet
          6  3  release A h1         ok
          9  -  lease A              released/h1/e2/r1/until9
         10  -  lease A              retired                -- for this reader, before the machine gets there
          9  4  confirm A h1         reservation_retired
         10  5  confirm A h1         reservation_retired    -- now by the watermark
          0  -  lease A              retired
         10  6  release A h2         reservation_retired
         10  7  revoke A             reservation_retired
         10  8  reclaim A            reservation_retired
         10  -  lease #1             retired                -- never granted, yet below the watermark
         10  9  confirm #1 h1        reservation_retired
         10  -  lease #0             retired
         10  -  lease ~2             not_found              -- of another shard
         10 10  confirm ~2 h1        reservation_not_found
         10  -  lease #3             not_found
         10 11  confirm #3 h1        reservation_not_found`,
    );
  });

  test('makes room at the slot after its window, not sooner', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r1 h1 5    ok@10
          6  3  release A h1         ok
          9  4  reserve B r1 h1 5    reservation_table_full
         10  5  reserve B r1 h1 5    ok@15
         10  -  used                 1/5`,
      {maxReservations: 1, maxExpirationBucketLen: 1},
    );
  });

  test('is gone at once when its window is zero slots', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r1 h1 5    ok@10
          6  3  release A h1         ok
          6  -  lease A              released/h1/e2/r1/until6
          6  4  reserve B r1 h1 5    reservation_table_full
          7  -  lease A              retired
          7  5  reserve B r1 h1 5    ok@12`,
      {maxReservations: 1, maxExpirationBucketLen: 1, reservationHistoryWindowSlots: 0n},
    );
  });
});

describe('what is retired and not removed yet', () => {
  test('is gone for commands and for readers of any slot', () => {
    // Four end together; the first command of slot 10 retires all of them and removes two.
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  create r3            ok
          5  4  create r4            ok
          5  5  reserve A r1 h1 10   ok@15
          5  6  reserve B r2 h1 10   ok@15
          5  7  reserve C r3 h1 10   ok@15
          5  8  reserve D r4 h1 10   ok@15
          6  9  release A h1         ok
          6 10  release B h1         ok
          6 11  release C h1         ok
          6 12  release D h1         ok
          9  -  used                 4/12
         10  -  expire C 15          reservation_not_found
          0  -  lease D              retired
         10  -  used                 0/12`,
    );
  });
});

describe('the retired watermark', () => {
  test('is the highest id that was retired; what lives below it is found all the same', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  create r3            ok
          5  4  reserve A r1 h1 10   ok@15
          5  5  reserve B r2 h1 10   ok@15
          5  6  reserve C r3 h1 10   ok@15
          6  7  confirm A h1         ok
          6  8  release C h1         ok
          7  9  release B h1         ok                     -- after C, so retired after it, with a lower id
         10 10  create r4            ok
         10  -  lease C              retired
         10  -  lease B              released/h1/e2/r2/until10
         11 11  create r5            ok
         11  -  lease B              retired
         11 12  confirm #7 h1        reservation_not_found
         11 13  confirm #6 h1        reservation_retired    -- still C's, the highest
         11 14  confirm A h1         invalid_state          -- alive below the watermark
         11  -  lease A              confirmed/h1/e1/r1
         11 15  release A h1         ok
         15 16  confirm A h1         reservation_retired`,
    );
  });
});

describe('the slot', () => {
  test('never falls: an earlier one counts as the last one, in checks and in answers', () => {
    runTable(
      `slot op  command              answer
         50  1  create r1            ok
          5  2  reserve A r1 h1 10   ok@60
          0  3  release A h1         ok
          0  -  lease A              released/h1/e2/r1/until53`,
    );
  });

  test('may be the largest there is, where nothing is added to it', () => {
    runTable(
      `slot   op  command            answer
       max-30  1  create r1           ok
       max-30  2  reserve A r1 h1 10  ok@${2n ** 64n - 1n - 20n}
          max  -  due                 A
          max  3  confirm A h1        overflow:operation_window
       max-15  4  confirm A h1        ok`,
    );
  });
});
