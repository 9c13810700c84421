/**
 * Requests and answers of neighbouring lanes: batches hold the lanes' commands in order, an answer without a database is
 * the one that a feed expects, and any other answer is an error.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {decodeClientRequest, RESULT} from '@allocdb/core';
import {decodeRequest, encodeResponse} from '@allocdb/node';
import {expect, test} from 'vitest';
import {BareAnswers} from '../src/bare_answers.ts';
import {BareFile} from '../src/bare_file.ts';
import {LaneFeed, requestBytesMax} from '../src/lane_feed.ts';
import {GRANT_ANSWER_BYTES, HOT_RESOURCES, PLAIN_ANSWER_BYTES, Workload} from '../src/workload.ts';
import {tinyOptions} from './options.ts';

const PREFIX_BYTES = 4;

function feedOf(lanes: number, batch: number): LaneFeed {
  return new LaneFeed(new Workload({lanes, resources: HOT_RESOURCES + 10 * lanes, ttlSlots: 30}), 0, lanes, batch);
}

/** The next request of a feed, without its length. */
function requestOf(feed: LaneFeed): Uint8Array {
  const bytes = new Uint8Array(requestBytesMax(feed.batch));
  const length = feed.write(new DataView(bytes.buffer), 0);
  expect(new DataView(bytes.buffer).getUint32(0, true)).toBe(length - PREFIX_BYTES);
  return bytes.subarray(PREFIX_BYTES, length);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Feeds a feed by a file without a database for so many rounds of all lanes. */
function playBare(feed: LaneFeed, requests: number): Uint8Array[] {
  const dir = join(tinyOptions().dir, 'bare');
  mkdirSync(dir);
  const file = new BareFile(join(dir, 'file'));
  const answers = new BareAnswers(file);
  const taken: Uint8Array[] = [];
  for (let i = 0; i < requests; i++) {
    const request = requestOf(feed);
    answers.add(viewOf(request), 0, request.length);
    file.commit();
    const answer = answers.take().subarray(PREFIX_BYTES);
    feed.take(viewOf(answer), 0, answer.length);
    taken.push(answer);
  }
  file.close();
  return taken;
}

/** Results in an answer of which tag, result and presence of a reservation are all that means anything. */
function codesOf(answer: Uint8Array, batch: number): (number | undefined)[] {
  const codes: (number | undefined)[] = [];
  for (let at = batch === 1 ? 0 : 3; at < answer.length; ) {
    codes.push(answer[at + 9]);
    at += answer[at + 10] === 1 ? GRANT_ANSWER_BYTES : PLAIN_ANSWER_BYTES;
  }
  return codes;
}

test('a batch holds the next commands of neighbouring lanes, in their order', () => {
  const feed = feedOf(8, 4);
  const clients = [0, 1].map(() => {
    const request = decodeRequest(requestOf(feed));
    if (request.type !== 'submit_batch') throw new Error(request.type);
    return request.payloads.map(payload => {
      const command = decodeClientRequest(payload);
      if ('status' in command) throw new Error(String(command.status));
      return (command.clientId >> 32n) & 0xffff_ffffn;
    });
  });
  expect(clients).toEqual([
    [0n, 1n, 2n, 3n],
    [4n, 5n, 6n, 7n],
  ]);
  expect([feed.outstanding, feed.isFree]).toEqual([8, false]);
});

test.each([1, 4])('answers without a database, %d commands each, are taken as those of one', batch => {
  const feed = feedOf(8, batch);
  const answers = playBare(feed, 40 * (8 / batch));
  expect(feed.outstanding).toBe(0);
  const codes = answers.flatMap(answer => codesOf(answer, batch));
  expect(codes).toHaveLength(320);
  expect(codes.filter(code => code === RESULT.RESOURCE_BUSY)).toHaveLength(32);
  expect(codes.filter(code => code === RESULT.OK)).toHaveLength(288);
});

test('another result, a refusal, and a batch of another size are errors', () => {
  const single = feedOf(2, 1);
  requestOf(single);
  const refusal = encodeResponse({type: 'resource_not_found'});
  expect(() => single.take(viewOf(refusal), 0, refusal.length)).toThrow(/answered by .*resource_not_found/);
  const busy = encodeResponse({
    type: 'submit_committed',
    appliedLsn: 1n,
    resultCode: 'resource_not_found',
    reservationId: null,
    deadlineSlot: null,
    fromRetryCache: false,
  });
  expect(() => single.take(viewOf(busy), 0, busy.length)).toThrow(/a command had result 5/);
  const batches = feedOf(4, 2);
  requestOf(batches);
  const empty = encodeResponse({type: 'batch_result', results: []});
  expect(() => batches.take(viewOf(empty), 0, empty.length)).toThrow(/answered by .*batch_result/);
});

test('lanes are whole batches', () => {
  expect(() => feedOf(9, 2)).toThrow(/no whole number of batches/);
});
