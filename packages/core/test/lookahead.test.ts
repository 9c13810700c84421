/**
 * Reading ahead must be as if it had not happened: the same answers and the same state, whatever bytes are noted, and no
 * read outside of them.
 */
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {digestOf, encodeClientRequest, type Lookahead} from '../src/index.ts';
import {Machine} from './machine.ts';
import {configs, Stepper, steps} from './streams.ts';

function noteBytes(ahead: Lookahead, bytes: Uint8Array): void {
  ahead.note(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength);
}

describe('looking ahead', () => {
  test('changes no answer and no state', () => {
    fc.assert(
      fc.property(configs, steps(60), fc.integer({min: 1, max: 9}), (config, list, every) => {
        const plain = new Machine(config);
        const ahead = new Machine(config);
        const lookahead = ahead.db.lookahead;
        const [one, other] = [new Stepper(plain), new Stepper(ahead)];
        list.forEach((step, i) => {
          // What the steps will ask for, as far as it can be told beforehand, and things that nobody asks for.
          const id = BigInt(step.pick);
          const reservationId = ahead.idOfLsn(ahead.lastLsn);
          const operationId = BigInt(i);
          noteBytes(
            lookahead,
            encodeClientRequest({operationId, clientId: 0n, command: {kind: 'create_resource', resourceId: id}}),
          );
          noteBytes(
            lookahead,
            encodeClientRequest({operationId, clientId: 0n, command: {kind: 'release', reservationId, holderId: id}}),
          );
          if (i % every === 0) lookahead.load();
          if (i % (3 * every) === 0) lookahead.begin();
          expect(other.apply(step)).toEqual(one.apply(step));
        });
        expect(digestOf(ahead.db)).toBe(digestOf(plain.db));
        ahead.expectSound();
      }),
      {numRuns: 60},
    );
  });

  test('takes any bytes, and more commands than it can hold', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({maxLength: 80}), {maxLength: 600}), payloads => {
        const machine = new Machine();
        const {lookahead} = machine.db;
        const before = digestOf(machine.db);
        for (const payload of payloads) noteBytes(lookahead, payload);
        lookahead.load();
        expect(digestOf(machine.db)).toBe(before);
      }),
      {numRuns: 100},
    );
  });
});
