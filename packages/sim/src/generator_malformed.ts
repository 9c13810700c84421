// Ways of spoiling a payload or a frame, one at a time.
//
// A spoilt payload must be refused by the engine, a spoilt frame by the codec before it; some come out well-formed after
// all, which is welcome. Every choice is drawn from the generator's own random numbers.
import type {Random} from './random.ts';

const COMMAND_TAG_OFFSET = 32;
const BUNDLE_COUNT_OFFSET = 57;

/** The bundle is an encoded reserve_bundle: the only command with a count to spoil. */
export function malformPayload(
  random: Random,
  payload: Uint8Array,
  bundle: Uint8Array,
  maxCommandBytes: number,
): Uint8Array {
  switch (random.below(5)) {
    case 0:
      return payload.slice(0, random.below(payload.length));
    case 1:
      return Uint8Array.from([...payload, ...payload.slice(0, random.between(1, 20))]);
    case 2:
      return payload.with(COMMAND_TAG_OFFSET, random.pick([0, 5, 6, 15, 21, 255, random.below(256)]));
    case 3: {
      const length = maxCommandBytes + random.pick([0, 1, 1, 40]);
      return Uint8Array.from({length}, (_, index) => payload[index] ?? 0);
    }
    default:
      return bundle.with(BUNDLE_COUNT_OFFSET, random.below(12));
  }
}

export function malformFrame(random: Random, frames: readonly [Uint8Array, ...Uint8Array[]]): Uint8Array {
  const frame = random.pick(frames);
  switch (random.below(5)) {
    case 0:
      return frame.slice(0, random.below(frame.length));
    case 1:
      return Uint8Array.from([...frame, random.below(256)]);
    case 2:
      return frame.with(0, random.pick([0, 6, 15, 18, 0xe0, 255]));
    case 3:
      // A byte of a slot or an id, of a length, of a count: whatever stands there.
      return frame.with(random.pick([1, 9, 10, 13, random.below(frame.length)]) % frame.length, random.below(256));
    default:
      return frame.with(1, random.between(2, 255));
  }
}
