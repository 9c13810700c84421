/**
 * Every codec error with its kind and value, in the order in which it is found; and misuse of the encoders. What holds
 * for all frames is in codec_properties.test.ts.
 */
import {expect, test} from 'vitest';
import {
  type ApiRequest,
  type ApiResponse,
  CODEC,
  CodecError,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  PAGE,
  RequestRegisters,
  readRequest,
  type ShownLease,
  type ShownResource,
  SIZE,
} from '../src/index.ts';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const zeros = (count: number): string => '00'.repeat(count);

function errorOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    if (error instanceof CodecError) return error.message;
    throw error;
  }
}

test.each([
  ['an empty frame', '', 'buffer_too_short'],
  ['an unknown tag, before anything else', 'ff', 'invalid_request_tag 255'],
  ['tag 0', '00', 'invalid_request_tag 0'],
  ['a bad presence byte, also of a frame that is cut', '02 02', 'invalid_enum_value optional_u64 2'],
  ['a presence byte is looked at before what trails', `11 ff ${zeros(90)}`, 'invalid_enum_value optional_u64 255'],
  ['a fence that is announced and cut', '02 01 0000', 'buffer_too_short'],
  ['a payload length over the bytes present', `01 ${zeros(8)} 05000000 01020304`, 'buffer_too_short'],
  ['a payload length under the bytes present', `01 ${zeros(8)} 03000000 01020304`, 'invalid_layout'],
  ['the largest payload length', `01 ${zeros(8)} ffffffff 01`, 'buffer_too_short'],
  ['a batch without its count', `10 ${zeros(8)} 01`, 'buffer_too_short'],
  ['a batch whose count cannot be true', `10 ${zeros(8)} ffff 00000000`, 'invalid_layout'],
  ['a batch whose second length is cut', `10 ${zeros(8)} 0200 04000000 01020304 01`, 'buffer_too_short'],
  ['a batch whose payload is cut', `10 ${zeros(8)} 0100 02000000 01`, 'buffer_too_short'],
  ['a batch with trailing bytes', `10 ${zeros(8)} 0100 01000000 01 02`, 'invalid_layout'],
  ['an empty batch with a trailing byte', `10 ${zeros(8)} 0000 02`, 'invalid_layout'],
  ['a state that no resource has', `12 00 05 ${zeros(10)}`, 'invalid_enum_value resource_state 5'],
  ['the same behind a fence', `12 01 ${zeros(8)} ff ${zeros(10)}`, 'invalid_enum_value resource_state 255'],
  ['a state that no reservation has', `13 00 ${zeros(8)} 00 07 ${zeros(10)}`, 'invalid_enum_value reservation_state 7'],
  [
    'the same behind fence and holder',
    `13 01 ${zeros(16)} 01 ${zeros(16)} 80 ${zeros(10)}`,
    'invalid_enum_value reservation_state 128',
  ],
  // What was no request before there were scans, and is in the conformance streams, stays none.
  ['a scan’s tag alone', '12', 'invalid_request_tag 18'],
  ['a scan’s tag before something else', '1258991abe52de50', 'invalid_request_tag 18'],
  ['the other one', '13a38ed52f7d536b0f', 'invalid_request_tag 19'],
  ['a scan that is cut', `12 00 00 ${zeros(9)}`, 'invalid_request_tag 18'],
  ['a scan of the length without its fence', `12 01 ${zeros(11)}`, 'invalid_request_tag 18'],
  ['a scan with trailing bytes', `12 00 00 ${zeros(11)}`, 'invalid_request_tag 18'],
  ['a presence byte of a scan', `12 02 00 ${zeros(10)}`, 'invalid_request_tag 18'],
  ['a holder’s presence byte', `13 00 ${zeros(8)} 02 00 ${zeros(10)}`, 'invalid_request_tag 19'],
  ['a holder that is announced and cut', `13 00 ${zeros(8)} 01 ${zeros(11)}`, 'invalid_request_tag 19'],
  ['a holder that nobody announced', `13 00 ${zeros(8)} 00 ${zeros(27)}`, 'invalid_request_tag 19'],
])('request: %s', (_name, hex, expected) => {
  expect(errorOf(() => decodeRequest(bytesOf(hex)))).toBe(expected);
});

test.each([
  ['an empty frame', '', 'buffer_too_short'],
  ['an unknown tag', '0f', 'invalid_response_tag 15'],
  ['a tag of neither', '14', 'invalid_response_tag 20'],
  ['result code 0', `01 ${zeros(8)} 00`, 'invalid_enum_value result_code 0'],
  ['result code 19', `01 ${zeros(8)} 13`, 'invalid_enum_value result_code 19'],
  ['presence of a reservation', `01 ${zeros(8)} 01 02`, 'invalid_enum_value optional_u128 2'],
  ['presence of a deadline', `01 ${zeros(8)} 01 00 02`, 'invalid_enum_value optional_u64 2'],
  ['from_retry_cache', `01 ${zeros(8)} 01 00 00 02`, 'invalid_enum_value bool 2'],
  ['category 0', '02 00 01', 'invalid_enum_value submission_error_category 0'],
  ['category 3', '0e 03', 'invalid_enum_value submission_error_category 3'],
  ['a category that is not its code’s own', '02 01 01', 'invalid_enum_value submission_error_category 1'],
  ['an indefinite overload', `02 02 06 ${zeros(8)}`, 'invalid_enum_value submission_error_category 2'],
  ['failure code 8', '02 01 08', 'invalid_enum_value submission_failure_code 8'],
  ['reason 4', '02 01 02 04', 'invalid_enum_value invalid_request_reason 4'],
  ['overflow kind 0', '02 01 03 00', 'invalid_enum_value slot_overflow_kind 0'],
  ['resource state 5', `03 ${zeros(16)} 05`, 'invalid_enum_value resource_state 5'],
  ['reservation state 7', `06 ${zeros(48)} 07`, 'invalid_enum_value reservation_state 7'],
  ['startup kind 0', `0a ${zeros(8)} 01 00`, 'invalid_enum_value recovery_startup_kind 0'],
  ['a nested tag', '10 0100 03 0000', 'invalid_response_tag 3'],
  ['a nested batch', '10 0100 10 0000', 'invalid_response_tag 16'],
  ['a count of results that cannot be true', '10 0200 02 01 10 02 01', 'invalid_layout'],
  ['a count of members that cannot be true', `11 ${zeros(32)} 01 ${zeros(26)} ffffffff ${zeros(32)}`, 'invalid_layout'],
  ['presence of a page’s lsn', '12 02', 'invalid_enum_value optional_u64 2'],
  ['presence of a next page', `13 01 ${zeros(8)} 03`, 'invalid_enum_value optional_u64 3'],
  ['a page without its count', '12 00 00 01', 'buffer_too_short'],
  ['a page of resources whose count cannot be true', `12 00 00 0200 ${zeros(51)}`, 'invalid_layout'],
  ['a page of leases whose count cannot be true', `13 00 00 ffff ${zeros(63)}`, 'invalid_layout'],
  ['a page of nothing with something behind', '12 00 00 0000 00', 'invalid_layout'],
  ['a state in a page', `12 00 00 0100 ${zeros(16)} 05 ${zeros(9)}`, 'invalid_enum_value resource_state 5'],
  [
    'a state of a lease in a page',
    `13 00 00 0100 ${zeros(32)} 00 ${zeros(30)}`,
    'invalid_enum_value reservation_state 0',
  ],
  [
    'a count of members in a page that cannot be true',
    `13 00 00 0100 ${zeros(32)} 01 ${zeros(26)} 01000000`,
    'invalid_layout',
  ],
])('response: %s', (_name, hex, expected) => {
  expect(errorOf(() => decodeResponse(bytesOf(hex)))).toBe(expected);
});

test('results 2 and 16 never occur in a submit answer and are accepted all the same', () => {
  for (const code of ['02', '10']) {
    expect(decodeResponse(bytesOf(`01 ${zeros(8)} ${code} 00 00 00`)).type).toBe('submit_committed');
  }
});

test('the registers hold what was found, at any offset, and no fence reads as lsn 0', () => {
  const registers = new RequestRegisters();
  const view = new DataView(new ArrayBuffer(80));
  const put = (hex: string): number => {
    bytesOf(hex).forEach((byte, i) => {
      view.setUint8(5 + i, byte);
    });
    return bytesOf(hex).length;
  };
  const lookup = put('11 01 0100000002000000 0300000004000000 05000000060000000700000008000000');
  expect(readRequest(view, 5, lookup, registers)).toBe(CODEC.NONE);
  expect([...registers.words]).toEqual([3, 4, 1, 2, 5, 6, 7, 8, 0, 0]);
  expect(registers.hasRequiredLsn).toBe(true);

  expect(readRequest(view, 5, put(`02 00 ${zeros(12)} ffffffff`), registers)).toBe(CODEC.NONE);
  expect(registers.hasRequiredLsn).toBe(false);
  expect([...registers.words]).toEqual([3, 4, 0, 0, 0, 0, 0, -1, 0, 0]);

  expect(readRequest(view, 5, put(`01 ${zeros(8)} 02000000 aabb`), registers)).toBe(CODEC.NONE);
  expect([registers.tag, registers.payloadOffset, registers.payloadLength]).toEqual([1, 18, 2]);

  const batch = put(`10 ${zeros(8)} 0200 01000000 aa 00000000`);
  expect(readRequest(view, 5, batch, registers)).toBe(CODEC.NONE);
  expect([registers.batchCount, registers.batchOffset, view.getUint32(registers.batchOffset, true)]).toEqual([
    2, 16, 1,
  ]);
});

test('the registers of a scan', () => {
  const registers = new RequestRegisters();
  const read = (hex: string): number => {
    const bytes = bytesOf(hex);
    return readRequest(new DataView(bytes.buffer), 0, bytes.length, registers);
  };
  const all = '05000000060000000700000008000000';
  expect(read(`13 01 0100000002000000 0300000004000000 01 ${all} 06 09000000ffffffff feff`)).toBe(CODEC.NONE);
  expect([...registers.words]).toEqual([3, 4, 1, 2, 5, 6, 7, 8, 9, -1]);
  expect([registers.hasRequiredLsn, registers.hasHolder, registers.state, registers.limit]).toEqual([
    true,
    true,
    6,
    0xfffe,
  ]);
  expect(read(`13 00 ${zeros(8)} 00 00 ${zeros(8)} 0100`)).toBe(CODEC.NONE);
  expect([registers.hasRequiredLsn, registers.hasHolder, registers.state, registers.limit]).toEqual([
    false,
    false,
    0,
    1,
  ]);
  expect([...registers.words.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
  read(`13 00 ${zeros(8)} 01 ${all} 00 ${zeros(10)}`);
  expect(read(`12 00 04 0a00000000000000 0000`)).toBe(CODEC.NONE);
  expect([registers.hasHolder, registers.state, registers.limit]).toEqual([false, 4, 0]);
  expect([...registers.words.subarray(8)]).toEqual([10, 0]);
});

test('a page of the most resources is below the bound on bytes, and no lease is larger than its size says', () => {
  expect(SIZE.PAGE_HEADER_MAX - 1 + PAGE.ENTRIES_MAX * SIZE.RESOURCE_ENTRY_MAX).toBeLessThan(PAGE.BODY_BYTES_MAX);
  const resource = {resourceId: 1n, state: 'available', version: 2n} as const;
  const page = {type: 'resources_page', lastAppliedLsn: 1n, next: 2n} as const;
  const sizeOf = (response: ApiResponse): number => encodeResponse(response).length;
  expect(sizeOf({...page, resources: []})).toBe(SIZE.PAGE_HEADER_MAX);
  const entry = (currentReservationId: bigint | null): number =>
    sizeOf({...page, resources: [{...resource, currentReservationId}]}) - SIZE.PAGE_HEADER_MAX;
  expect([entry(null), entry(1n)]).toEqual([SIZE.RESOURCE_ENTRY_MIN, SIZE.RESOURCE_ENTRY_MAX]);
  const numbers = {reservationId: 1n, holderId: 2n, leaseEpoch: 3n, createdLsn: 4n, deadlineSlot: 5n};
  const lease = (resourceIds: bigint[], end: bigint | null): number => {
    const shown = {...numbers, state: 'revoked', releasedLsn: end, retireAfterSlot: end, resourceIds} as const;
    return sizeOf({...page, type: 'reservations_page', leases: [shown]}) - SIZE.PAGE_HEADER_MAX;
  };
  expect([lease([], null), lease([], 1n)]).toEqual([SIZE.LEASE_ENTRY_MIN, SIZE.LEASE_ENTRY_MAX]);
  expect(lease([1n, 2n, 3n], null)).toBe(SIZE.LEASE_ENTRY_MIN + 3 * SIZE.ID);
});

test('the encoder refuses what does not fit', () => {
  const many = Array.from({length: 65_536}, () => new Uint8Array(0));
  const rejected = {type: 'submit_rejected', failure: {code: 'engine_halted'}} as const;
  expect(errorOf(() => encodeRequest({type: 'submit_batch', requestSlot: 0n, payloads: many}))).toBe(
    'length_too_large 65536',
  );
  expect(errorOf(() => encodeResponse({type: 'batch_result', results: many.map(() => rejected)}))).toBe(
    'length_too_large 65536',
  );
  const leases = Array.from({length: 65_536}, () => ({}) as ShownLease);
  const page = {lastAppliedLsn: null, next: null};
  expect(errorOf(() => encodeResponse({type: 'reservations_page', ...page, leases}))).toBe('length_too_large 65536');
  const resources = leases as unknown as ShownResource[];
  expect(errorOf(() => encodeResponse({type: 'resources_page', ...page, resources}))).toBe('length_too_large 65536');
  const scan = {type: 'scan_resources', requiredLsn: null, state: null, position: 0n, limit: 0} as const;
  expect(() => encodeRequest({...scan, limit: 65_536})).toThrow('limit must be an integer between 0 and 65535');
  expect(() => encodeRequest({...scan, position: -1n})).toThrow('position must fit 64 bits');
  expect(() => encodeRequest({...scan, state: 'lost'} as unknown as ApiRequest)).toThrow("state has no value 'lost'");
  expect(() => encodeRequest({...scan, state: ''} as unknown as ApiRequest)).toThrow("state has no value ''");
  expect(() => encodeRequest({type: 'get_metrics', currentWallClockSlot: 1n << 64n})).toThrow(
    'currentWallClockSlot must fit 64 bits',
  );
  expect(() => encodeRequest({type: 'get_resource', requiredLsn: null, resourceId: -1n})).toThrow(RangeError);
  const wrongRequest = {type: 'get_everything'} as unknown as ApiRequest;
  expect(() => encodeRequest(wrongRequest)).toThrow(TypeError);
  const wrongResponse = {type: 'tick_applied', processedCount: 2 ** 32, lastAppliedLsn: null} as ApiResponse;
  expect(() => encodeResponse(wrongResponse)).toThrow('processedCount must be an integer between 0 and 4294967295');
  const wrongName = {type: 'resource_found', resourceId: 1n, state: 'lost', currentReservationId: null, version: 0n};
  expect(() => encodeResponse(wrongName as unknown as ApiResponse)).toThrow("state has no value 'lost'");
});
