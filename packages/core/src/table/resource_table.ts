/**
 * Resources: records of eight words, two to a cache line, found by id. A resource is never removed, so its row is stable
 * and other tables may point at it. Knows nothing of when a transition is allowed.
 */
import {assert} from '../assert.ts';
import type {KeyHash} from '../hash.ts';
import {RESOURCE_STATE} from '../result.ts';
import {KeyIndex} from './key_index.ts';

const {AVAILABLE} = RESOURCE_STATE;

/** Words of a record: id (4), version (2), state, row of the current reservation + 1 (0 = none). */
export const RESOURCE = {ID: 0, VERSION: 4, STATE: 6, OWNER: 7, WORDS: 8} as const;
const {WORDS, VERSION, STATE, OWNER} = RESOURCE;

export class ResourceTable {
  readonly words: Int32Array;
  readonly index: KeyIndex;
  readonly capacity: number;
  private readonly hash: KeyHash;
  private used: number = 0;
  /** Tag of the id that `find` was asked for last. */
  private soughtTag: number = 0;

  constructor(capacity: number, hash: KeyHash) {
    this.capacity = capacity;
    this.words = new Int32Array(capacity * WORDS).fill(0);
    this.index = new KeyIndex(capacity);
    this.hash = hash;
  }

  get count(): number {
    return this.used;
  }

  /** Row of the resource, or -1. */
  find(w0: number, w1: number, w2: number, w3: number): number {
    const tag = this.hash.of(w0, w1, w2, w3);
    this.soughtTag = tag;
    return this.index.findU128(this.words, WORDS, tag, w0, w1, w2, w3);
  }

  tagOf(w0: number, w1: number, w2: number, w3: number): number {
    return this.hash.of(w0, w1, w2, w3);
  }

  /** Adds an available resource at version 0; the caller has just not found it, and checked that there is room. */
  insert(w0: number, w1: number, w2: number, w3: number): number {
    assert(this.used < this.capacity, 'resource table has room');
    const row = this.used++;
    const at = row * WORDS;
    const words = this.words;
    words[at] = w0;
    words[at + 1] = w1;
    words[at + 2] = w2;
    words[at + 3] = w3;
    words[at + VERSION] = 0;
    words[at + VERSION + 1] = 0;
    words[at + STATE] = AVAILABLE;
    words[at + OWNER] = 0;
    this.index.placeFound(this.soughtTag, row);
    return row;
  }

  state(row: number): number {
    return this.words[row * WORDS + STATE];
  }

  /** Row of the reservation that holds the resource, or -1. */
  owner(row: number): number {
    return this.words[row * WORDS + OWNER] - 1;
  }

  /** One state change: new state and owner (-1 for none), version + 1. */
  transition(row: number, state: number, owner: number): void {
    const words = this.words;
    const at = row * WORDS;
    words[at + STATE] = state;
    words[at + OWNER] = owner + 1;
    const version = (words[at + VERSION] + 1) | 0;
    words[at + VERSION] = version;
    if (version === 0) words[at + VERSION + 1]++;
  }

  /** Sets the state alone: the transient mark by which a bundle notices a repeated member, and its undoing. */
  mark(row: number, state: number): void {
    this.words[row * WORDS + STATE] = state;
  }
}
