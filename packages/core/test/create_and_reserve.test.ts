import {describe, test} from 'vitest';
import {runTable} from './run_table.ts';

describe('create_resource', () => {
  test('refuses what exists, then a full table; a repeat is answered from its record', () => {
    runTable(
      `slot op  command      answer
          0  1  create r1    ok
          0  2  create r1    already_exists
          0  3  create r2    ok
          0  4  create r2    already_exists       -- before the table is looked at
          0  5  create r3    resource_table_full
          0  1  create r1    again:ok
          0  2  create r1    again:already_exists
          0  5  create r3    again:resource_table_full
          0  -  resource r1  available/-/v0
          0  -  resource r3  none`,
      {maxResources: 2, maxBundleSize: 2},
    );
  });

  test('takes any id, zero and the largest included', () => {
    const largest = 2n ** 128n - 1n;
    runTable(
      `slot op  command                answer
          0  0  create r0              ok
          0  1  create r${largest}     ok
          0  ${largest}  create r5     ok
          0  2  reserve A r${largest} h0 1  ok@1
          0  3  reserve B r0 h${largest} 1  ok@1
          0  4  confirm B h${largest}  ok`,
    );
  });
});

describe('reserve', () => {
  test('refuses in the documented order, then holds', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  reserve A r9 h1 0    ttl_out_of_range       -- before the resource is looked for
          5  3  reserve A r9 h1 11   ttl_out_of_range
          5  4  reserve A r9 h1 max-20  ttl_out_of_range
          5  5  reserve A r9 h1 10   resource_not_found
          5  6  reserve A r1 h1 10   ok@15
          5  6  reserve A r1 h1 10   again:ok@15
          5  -  lease A              reserved/h1/e1/r1
          5  -  resource r1          reserved/A/v1
          5  7  reserve B r1 h1 1    resource_busy          -- the holder itself too
          5  7  reserve B r1 h1 1    again:resource_busy`,
    );
  });

  test('a full reservation table comes before a full bucket, and both after the members', () => {
    runTable(
      `slot op  command              answer
          5  1  create r1            ok
          5  2  create r2            ok
          5  3  create r3            ok
          5  4  reserve A r1 h1 3    ok@8
          5  5  reserve B r2 h1 3    expiration_index_full
          5  6  reserve B r2 h1 4    ok@9
          5  7  reserve C r2 h1 3    resource_busy          -- before the full table
          5  8  reserve C r3 h1 3    reservation_table_full -- before the full bucket
          5  -  resource r3          available/-/v0
          5  8  reserve C r3 h1 3    again:reservation_table_full`,
      {maxReservations: 2, maxExpirationBucketLen: 1},
    );
  });

  test('the deadline that does not fit is found before anything else, ttl range included', () => {
    runTable(
      `slot  op  command                 answer
         max  1  reserve A r9 h1 max     overflow:deadline
         max  2  reserve A r9 h1 0       overflow:operation_window
      max-15  3  reserve A r9 h1 16      overflow:deadline
      max-15  4  reserve A r9 h1 15      ttl_out_of_range
      max-15  5  reserve A r9 h1 10      resource_not_found
      max-15  -  used                    0/2                  -- what overflowed left nothing behind`,
    );
  });
});

describe('reserve_bundle', () => {
  test('refuses in the documented order, then holds all members at once', () => {
    runTable(
      `slot op  command                   answer
          5  1  create r1                 ok
          5  2  create r2                 ok
          5  3  create r3                 ok
          5  4  bundle A h1 0             bundle_too_large       -- no member; before the ttl
          5  5  bundle A h1 0 r1 r2 r3 r3 bundle_too_large
          5  6  bundle A h1 0 r9          ttl_out_of_range       -- before the members
          5  7  bundle A h1 11 r9         ttl_out_of_range
          5  8  bundle A h1 4 r1 r1 r9    resource_busy          -- the first failing member decides
          5  9  bundle A h1 4 r1 r9 r1    resource_not_found
          5 10  bundle A h1 4 r9 r9       resource_not_found
          5  -  resource r1               available/-/v0
          5 11  bundle A h1 4 r3 r1       ok@9
          5 11  bundle A h1 4 r3 r1       again:ok@9
          5  -  lease A                   reserved/h1/e1/r3+r1
          5  -  resource r1               reserved/A/v1
          5  -  resource r2               available/-/v0
          5  -  resource r3               reserved/A/v1
          5 12  bundle B h1 4 r2 r1       resource_busy
          5 13  bundle B h1 4 r1 r9       resource_busy
          5  -  resource r2               available/-/v0
          5  4  bundle A h1 0             again:bundle_too_large`,
    );
  });

  test('takes its marks back when table or bucket is full', () => {
    runTable(
      `slot op  command                   answer
          5  1  create r1                 ok
          5  2  create r2                 ok
          5  3  create r3                 ok
          5  4  create r4                 ok
          5  5  bundle A h1 3 r1          ok@8
          5  6  bundle B h1 3 r2 r3       expiration_index_full
          5  7  bundle B h1 4 r2 r3       ok@9
          5  8  bundle C h1 5 r4          reservation_table_full
          5  -  resource r4               available/-/v0
          6  9  release A h1              ok
         20 10  bundle C h1 5 r4 r1       ok@25`,
      {maxReservations: 2, maxExpirationBucketLen: 1},
    );
  });

  test('of one is another command than reserve, with the same effect', () => {
    runTable(
      `slot op  command                   answer
          5  1  create r1                 ok
          5  2  create r2                 ok
          5  3  reserve A r1 h1 4         ok@9
          5  3  bundle A h1 4 r1          again:operation_conflict
          5  4  bundle B h1 4 r2          ok@9
          5  4  reserve B r2 h1 4         again:operation_conflict
          5  -  lease A                   reserved/h1/e1/r1
          5  -  lease B                   reserved/h1/e1/r2`,
    );
  });

  test('counts as one reservation and one place in its bucket, whatever its members', () => {
    runTable(
      `slot op  command                   answer
          5  1  create r1                 ok
          5  2  create r2                 ok
          5  3  create r3                 ok
          5  4  create r4                 ok
          5  5  bundle A h1 4 r1 r2 r3    ok@9
          5  6  reserve B r4 h1 4         ok@9
          5  -  used                      2/6
          5  -  due                       none
          9  -  due                       A,B`,
      {maxReservations: 2, maxExpirationBucketLen: 2},
    );
  });
});
