/**
 * Resources as far as they are known: whether they are there, and who owned them last. Where the beginning is unknown
 * anything may have been there, and anybody may have held what nobody has been seen to be granted.
 */
import type {Tracked} from './tracked.ts';
import type {UnseenOperations} from './unseen.ts';

export interface KnownResource {
  /** True once something has shown that it is there. */
  exists: boolean;
  /** Who was granted it last; null while nobody was seen to be. */
  owner: Tracked | null;
}

export class OwnedResources {
  readonly #fromEmpty: boolean;
  readonly #unseen: UnseenOperations;
  readonly #resources: Map<bigint, KnownResource> = new Map();

  constructor(fromEmpty: boolean, unseen: UnseenOperations) {
    this.#fromEmpty = fromEmpty;
    this.#unseen = unseen;
  }

  of(id: bigint): KnownResource {
    let resource = this.#resources.get(id);
    if (resource === undefined) {
      resource = {exists: false, owner: null};
      this.#resources.set(id, resource);
    }
    return resource;
  }

  give(id: bigint, owner: Tracked): void {
    const resource = this.of(id);
    resource.exists = true;
    resource.owner = owner;
  }

  mayExist(id: bigint, before: bigint): boolean {
    return this.of(id).exists || !this.#fromEmpty || this.#unseen.mayCreate(id, before);
  }

  /** Whether somebody of whom nothing is known may hold it. */
  mayBeHeldUnseen(id: bigint, before: bigint): boolean {
    const {owner} = this.of(id);
    if (owner?.isLost === true || this.#unseen.mayReserve(id, before)) return true;
    return owner === null && !this.#fromEmpty;
  }
}
