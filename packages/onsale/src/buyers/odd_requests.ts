/**
 * Requests that must be refused: somebody else's reservation, an old epoch, five seats at once, a hold without end. A few
 * buyers make one in passing, so that a database that grants what it must not is found out.
 *
 * Whatever the answer is, the buyer goes on as before; it is for the auditor to say what it should have been.
 */
import type {CommandFacts} from '../ledger.ts';
import type {Random} from '../random.ts';
import {PARTY_MAX} from '../settings.ts';

/** What a buyer has when she makes an odd request. */
export interface Possessions {
  readonly seats: readonly string[];
  readonly lease: string;
  readonly holder: string;
  /** A reservation of another buyer. */
  readonly othersLease: string;
  /** The longest hold that is allowed. */
  readonly ttlMax: number;
}

const NOTHING = {seats: [], holder: null, lease: null, ttl: null, epoch: null} as const;
/** An id of another shard, which this database never gave. */
const NEVER_GIVEN = '0000000000000001000000000000002a';

/** One of them. */
export function oddCommand(had: Possessions, random: Random): CommandFacts {
  const {seats, lease, holder, othersLease, ttlMax} = had;
  const [seat = ''] = seats;
  const odd: readonly CommandFacts[] = [
    {...NOTHING, kind: 'confirm', lease: othersLease, holder},
    {...NOTHING, kind: 'release', lease: othersLease, holder},
    {...NOTHING, kind: 'confirm_fenced', lease, holder, epoch: 2},
    {...NOTHING, kind: 'release_fenced', lease, holder, epoch: 0},
    {...NOTHING, kind: 'confirm', lease: NEVER_GIVEN, holder},
    {...NOTHING, kind: 'reserve_bundle', seats: Array.from({length: PARTY_MAX + 1}, () => seat), holder, ttl: 1},
    {...NOTHING, kind: 'reserve_bundle', seats: [], holder, ttl: 1},
    {...NOTHING, kind: 'reserve', seats: [seat], holder, ttl: ttlMax + 1},
    {...NOTHING, kind: 'reserve', seats: [seat], holder, ttl: 0},
    {...NOTHING, kind: 'reserve', seats: [holder], holder, ttl: 1},
    {...NOTHING, kind: 'create_resource', seats: [seat]},
  ];
  return odd[random.below(odd.length)] as CommandFacts;
}
