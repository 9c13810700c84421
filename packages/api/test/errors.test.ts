/** AllocDbError: recognised by its mark, honest about certainty, printable; and the one JSON helper. */
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {
  AllocDbError,
  CodecError,
  codecErrorFrame,
  databaseError,
  definiteFailure,
  encodeResponse,
  indefiniteFailure,
  isAllocDbError,
  isIndefinite,
  newOperationId,
  operationIdFrom,
  toJson,
} from '../src/index.ts';
import {anyFailure} from './arbitraries.ts';

const operation = operationIdFrom('order 1');

test('it is recognised by its mark, also when another copy of the class made it', () => {
  const error = new AllocDbError(definiteFailure('closed'), 'closed');
  expect(isAllocDbError(error)).toBe(true);
  expect(error).toBeInstanceOf(Error);
  const foreign = Object.defineProperty(new Error('other copy'), Symbol.for('@allocdb/api/AllocDbError'), {
    value: true,
  });
  expect(isAllocDbError(foreign)).toBe(true);
  for (const value of [new Error('x'), null, undefined, 'x', {code: 'closed'}])
    expect(isAllocDbError(value)).toBe(false);
});

test('an indefinite failure names its operations; without any there is nothing to be in doubt about', () => {
  const other = newOperationId();
  expect(indefiniteFailure('connection_lost', [operation, other])).toEqual({
    code: 'connection_lost',
    certainty: 'indefinite',
    operationId: operation,
    operationIds: [operation, other],
  });
  expect(indefiniteFailure('connection_lost', [])).toEqual({code: 'connection_lost', certainty: 'definite'});
});

test('a failure of the database keeps its code, its numbers and the certainty that the wire gives it', () => {
  fc.assert(
    fc.property(anyFailure, detail => {
      const error = databaseError(detail, [operation]);
      expect(error.code).toBe(detail.code);
      expect(error.detail).toBe(detail);
      const category = encodeResponse({type: 'submit_rejected', failure: detail})[1];
      expect(error.failure.certainty).toBe(category === 2 ? 'indefinite' : 'definite');
      expect(isIndefinite(detail)).toBe(category === 2);
    }),
  );
});

test('messages say what happened', () => {
  const message = (detail: Parameters<typeof databaseError>[0]): string => databaseError(detail, []).message;
  expect(message({code: 'overloaded', queueDepth: 8, queueCapacity: 8})).toBe('the queue is full: 8 of 8 commands');
  expect(message({code: 'invalid_request', reason: 'invalid_command_tag', commandTag: 5})).toBe(
    'the command is malformed: invalid_command_tag 5',
  );
  expect(message({code: 'engine_halted'})).toBe('the engine has halted');
});

test('toJson prints bigints as strings, bytes as hex, errors with their failure', () => {
  expect(toJson({lsn: 18_446_744_073_709_551_615n, at: [1n], none: null, count: 3})).toBe(
    '{"lsn":"18446744073709551615","at":["1"],"none":null,"count":3}',
  );
  expect(toJson(Uint8Array.of(0, 255))).toBe('"00ff"');
  expect(toJson(undefined)).toBe('null');
  expect(toJson({a: 1n}, 1)).toBe('{\n "a": "1"\n}');
  const detail = {code: 'lsn_exhausted', lastAppliedLsn: 7n} as const;
  expect(JSON.parse(toJson(databaseError(detail, [])))).toEqual({
    name: 'AllocDbError',
    message: 'no log sequence number is left: last is 7',
    code: 'lsn_exhausted',
    failure: {code: 'lsn_exhausted', certainty: 'definite'},
    detail: {code: 'lsn_exhausted', lastAppliedLsn: '7'},
  });
});

test('codec errors as frames of the conformance streams', () => {
  const hex = (error: CodecError): string => Buffer.from(codecErrorFrame(error)).toString('hex');
  expect(hex(new CodecError('buffer_too_short'))).toBe('e001');
  expect(hex(new CodecError('invalid_request_tag', null, 0x70))).toBe('e00270');
  expect(hex(new CodecError('invalid_response_tag', null, 0x70))).toBe('e00370');
  expect(hex(new CodecError('invalid_enum_value', 'bool', 2))).toBe('e00402626f6f6c');
  expect(hex(new CodecError('invalid_layout'))).toBe('e005');
  expect(hex(new CodecError('length_too_large', null, 70_000))).toBe('e006');
  expect(new CodecError('invalid_enum_value', 'bool', 2).message).toBe('invalid_enum_value bool 2');
});
