/**
 * Two queues: one that only gives from its head, and one whose members can leave from anywhere.
 *
 * Every operation takes constant time, so that a long queue costs a write no more than a short one. Neither is bounded:
 * their users are.
 */

const COMPACT_FROM = 1024;

/** First in, first out. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** The one that is taken next. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** The one that was added last, if any is left. */
  get last(): T | undefined {
    return this.size === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Undefined where it is empty. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#head++;
    if (this.#head === this.#items.length) this.#cut();
    else if (this.#head >= COMPACT_FROM && this.#head * 2 >= this.#items.length) this.#cut();
    return item;
  }

  /** Items that were taken are let go at the latest when they are half of the array. */
  #cut(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}

/** A member of at most one `LinkedQueue`. */
export class Linked {
  previous: Linked | null = null;
  next: Linked | null = null;
}

/** First in, first out, for members that may give up waiting. */
export class LinkedQueue<T extends Linked> {
  #first: Linked | null = null;
  #last: Linked | null = null;
  size = 0;

  get first(): T | null {
    return this.#first as T | null;
  }

  push(member: T): void {
    member.previous = this.#last;
    if (this.#last === null) this.#first = member;
    else this.#last.next = member;
    this.#last = member;
    this.size++;
  }

  /** The member must be in this queue. */
  remove(member: T): void {
    const {previous, next} = member;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    member.previous = null;
    member.next = null;
    this.size--;
  }
}
