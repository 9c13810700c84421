// Every conformance stream through the model, byte for byte, restarts included.
//
// A difference is reported as the first request that was answered otherwise; the decoded expectation is left to the
// reader of the vectors' README.
import {encodeApiRequest, Model, readVectorStream, type VectorRun, vectorNames} from '@allocdb/sim';
import {describe, expect, test} from 'vitest';

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'nothing' : Buffer.from(bytes).toString('hex');
}

function firstDifference(model: Model, run: VectorRun): string | null {
  for (const [index, request] of run.requests.entries()) {
    const got = hex(model.handle(request));
    const expected = hex(run.responses[index]);
    if (got !== expected) return `request ${index} ${hex(request)}\nexpected ${expected}\ngot      ${got}`;
  }
  return null;
}

describe('the model answers the conformance streams', () => {
  test('thirteen streams are present', () => {
    expect(vectorNames()).toHaveLength(13);
  });

  test.each(vectorNames())('%s', name => {
    const stream = readVectorStream(name);
    const model = new Model(stream.config, stream.start);
    for (const [index, run] of stream.runs.entries()) {
      if (index > 0) model.restart();
      if (index > 0 && stream.restart !== null) {
        const request = encodeApiRequest({kind: 'get_metrics', currentSlot: stream.restart.metricsAtSlot});
        expect(hex(model.handle(request))).toBe(hex(stream.restart.metricsAfterRestart));
      }
      expect(run.responses).toHaveLength(run.requests.length);
      expect(firstDifference(model, run)).toBeNull();
      expect(model.dumpState()).toEqual(run.finalState);
      expect(model.invariants()).toEqual([]);
    }
  });
});
