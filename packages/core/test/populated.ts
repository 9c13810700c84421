/**
 * One small state in which every kind of record and every state occurs: what tests of the walker and of the loader
 * corrupt. Lsn 17, slot 7: holds A and F in one bucket a lap apart, sale B, C being revoked, D and E over; reservation
 * rows 0 to 5, row 6 free.
 */
import type {Machine} from './machine.ts';
import {runTable} from './run_table.ts';

export function populated(): Machine {
  return runTable(
    `slot op  command              answer
        0  1  create r1            ok
        0  2  create r2            ok
        0  3  create r3            ok
        0  4  create r4            ok
        0  5  create r5            ok
        0  6  create r6            ok
        0  7  reserve A r1 h1 6    ok@6
        0  8  reserve B r2 h2 10   ok@10
        1  9  confirm B h2         ok
        1 10  reserve C r3 h3 10   ok@11
        1 11  confirm C h3         ok
        1 12  revoke C             ok
        1 13  bundle D h4 2 r5 r6  ok@3
        2 14  reserve E r4 h5 9    ok@11
        6 15  release E h5         ok
        7  -  expire D 3           ok
        7 16  bundle F h6 10 r6 r4 ok@17`,
    {maxReservations: 7},
  );
}
