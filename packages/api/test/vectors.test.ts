/**
 * The codecs against the conformance streams: every request decodes, or fails as its answer says; every response decodes
 * and encodes back to the same bytes. Whether an answer is the right one is the engine's test.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {expect, test} from 'vitest';
import {
  CODEC_ERROR_TAG,
  CodecError,
  codecErrorFrame,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../src/index.ts';

const directory = new URL('../../../vectors/public/', import.meta.url);
const streams = readdirSync(directory)
  .filter(name => name.endsWith('.req.bin'))
  .map(name => name.slice(0, -'.req.bin'.length));

function framesOf(file: string): Buffer[] {
  const bytes = readFileSync(new URL(file, directory));
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}

/** The request's bytes after a round trip, or the frame of its codec error. */
function echo(request: Buffer): Uint8Array {
  try {
    return encodeRequest(decodeRequest(request));
  } catch (error) {
    if (error instanceof CodecError) return codecErrorFrame(error);
    throw error;
  }
}

test.each(streams)('%s', stream => {
  const requests = framesOf(`${stream}.req.bin`);
  const responses = framesOf(`${stream}.resp.bin`);
  expect(responses.length).toBe(requests.length);
  let wrong = 0;
  requests.forEach((request, i) => {
    const response = responses[i] as Buffer;
    const isCodecError = response[0] === CODEC_ERROR_TAG;
    if (Buffer.compare(echo(request), isCodecError ? response : request) !== 0) wrong++;
    if (!isCodecError && Buffer.compare(encodeResponse(decodeResponse(response)), response) !== 0) wrong++;
  });
  expect(wrong).toBe(0);
});
