/**
 * The workload: what lanes do in which order, that the same answers give the same bytes, and that two lanes never meet
 * on a resource that is not hot.
 */
import {decodeClientRequest} from '@allocdb/core';
import {decodeRequest} from '@allocdb/node';
import {expect, test} from 'vitest';
import {coprimeStride} from '../src/stride.ts';
import {HOT_RESOURCES, STEP, stepAt, Workload, writeCreate, writeKeptConfirm} from '../src/workload.ts';

const SIZE = {lanes: 16, resources: 500, ttlSlots: 30};

/** Rounds of all lanes, each answered as the workload expects, with the lsn as reservation id. */
function frames(rounds: number): Uint8Array[] {
  const workload = new Workload(SIZE);
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  const written: Uint8Array[] = [];
  for (let i = 0; i < rounds * SIZE.lanes; i++) {
    const lane = i % SIZE.lanes;
    written.push(bytes.slice(0, workload.writeFrame(lane, view, 0)));
    workload.settle(lane, i + 1, 0, 0, 0);
  }
  return written;
}

test('every tenth command of a lane is for a hot resource, the others are whole cycles', () => {
  for (const lane of [0, 1, 9, 10]) {
    const steps = Array.from({length: 10}, (_, i) => stepAt(lane, i));
    expect(steps.filter(step => step === STEP.HOT)).toHaveLength(1);
    const cycle = [STEP.RESERVE, STEP.CONFIRM, STEP.RELEASE];
    expect(steps.filter(step => step !== STEP.HOT)).toEqual([...cycle, ...cycle, ...cycle]);
  }
});

test('the same answers give the same bytes', () => {
  expect(frames(25)).toEqual(frames(25));
});

test('frames are submits that name their own size, with operations that are all different', () => {
  const operations = new Set<bigint>();
  const written = frames(25);
  for (const frame of written) {
    expect(new DataView(frame.buffer).getUint32(0, true)).toBe(frame.length - 4);
    const request = decodeRequest(frame.subarray(4));
    if (request.type !== 'submit') throw new Error(request.type);
    const command = decodeClientRequest(request.payload);
    if ('status' in command) throw new Error(String(command.status));
    operations.add(command.operationId);
  }
  expect(operations.size).toBe(written.length);
});

test('a lane reserves resources of its own, confirms and releases what it was granted', () => {
  const owner = new Map<bigint, bigint>();
  const granted = new Map<bigint, bigint>();
  const hot = new Set<bigint>();
  frames(60).forEach((frame, i) => {
    const request = decodeClientRequest(frame.subarray(17));
    if ('status' in request) throw new Error(String(request.status));
    const {command, clientId} = request;
    if (command.kind === 'reserve') {
      const index = Number((command.resourceId >> 32n) & 0xffff_ffffn);
      if (index < HOT_RESOURCES) hot.add(command.resourceId);
      else {
        expect(owner.get(command.resourceId) ?? clientId).toBe(clientId);
        owner.set(command.resourceId, clientId);
        granted.set(clientId, BigInt(i + 1));
      }
    } else if (command.kind === 'confirm' || command.kind === 'release') {
      expect(command.reservationId).toBe(granted.get(clientId));
    } else throw new Error(command.kind);
  });
  expect(owner.size).toBeGreaterThan(SIZE.lanes * 10);
  expect(hot.size).toBeGreaterThan(50);
});

test('more lanes than resources are refused', () => {
  expect(() => new Workload({lanes: 1001, resources: 1100, ttlSlots: 1})).toThrow(/need at least 1101 resources/);
});

test('payloads of the setup are commands', () => {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  const create = decodeClientRequest(bytes.slice(0, writeCreate(view, 0, 5, 5)));
  expect('command' in create && create.command.kind).toBe('create_resource');
  const confirm = decodeClientRequest(bytes.slice(0, writeKeptConfirm(view, 0, 6, 77)));
  expect('command' in confirm && confirm.command).toMatchObject({kind: 'confirm', reservationId: 77n});
});

test('a stride visits everything', () => {
  for (const count of [1, 2, 3, 97, 100, 1000]) {
    const stride = coprimeStride(count);
    const seen = new Set(Array.from({length: count}, (_, i) => (i * stride) % count));
    expect(seen.size).toBe(count);
  }
});
