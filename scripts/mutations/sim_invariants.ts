// The invariants of the state, one by one and in the order in which the specification of the state machine lists them
// (`checkInvariants` walks the same list), each broken at the place that keeps it. The simulator must notice each in the
// first of its seeds: it knows nothing of how the tables are built.
// Not here: promises of the engine around the state (`sim_engine.ts`).
import type {Mutation} from './mutation.ts';
import {breaking} from './sim_killers.ts';

const MACHINE = 'packages/core/src/machine';
const TABLE = 'packages/core/src/table';

const RESERVE = `${MACHINE}/reserve.ts`;
const CONFIRM = `${MACHINE}/confirm.ts`;
const RELEASE = `${MACHINE}/release.ts`;
const REVOKE = `${MACHINE}/revoke.ts`;
const TRANSITIONS = `${MACHINE}/transitions.ts`;
const ALLOC_DB = `${MACHINE}/alloc_db.ts`;
const WHEEL = `${TABLE}/timing_wheel.ts`;
const RETIRE_QUEUE = `${TABLE}/retire_queue.ts`;
const RESERVATIONS = `${TABLE}/reservation_table.ts`;
const OPERATIONS = `${TABLE}/operation_table.ts`;
const RESOURCES = `${TABLE}/resource_table.ts`;
const INDEX = `${TABLE}/key_index.ts`;
const LOADER = 'packages/core/src/snapshot/snapshot_loader.ts';
const RECORDS = 'packages/core/src/snapshot/record_codec.ts';
const RETRY_CACHE = `${MACHINE}/retry_cache.ts`;

/** Puts a hold at the front of its bucket instead of the end. */
const SCHEDULED_IN_FRONT = `
    const head = this.heads[bucket];
    if (head !== 0) {
      words[at + NEXT] = head;
      words[at + PREVIOUS] = 0;
      words[at + BUCKET] = bucket;
      words[(head - 1) * WORDS + PREVIOUS] = row + 1;
      this.heads[bucket] = row + 1;
      this.lengths[bucket]++;
      this.scheduled++;
      return;
    }
    const tail = tails[bucket];`;

const broken = breaking('simulator invariant');

export const SIM_INVARIANT_MUTATIONS: readonly Mutation[] = [
  // At most one live reservation owns a resource.
  broken('one owner: what is held can be reserved', RESERVE, ' || db.resources.state(row) !== AVAILABLE', ''),
  broken('one owner: what is being revoked can be reclaimed by release', RELEASE, 'state !== CONFIRMED', 'state < 0'),

  // A resource that is not available points at a live reservation that lists it, in agreeing states.
  broken('held by: nobody', RESERVE, 'RESOURCE_STATE_RESERVED, row);', 'RESOURCE_STATE_RESERVED, -1);'),
  broken('held by: the first member only follows', TRANSITIONS, 'i < count', 'i < 1 && i < count', 1),
  broken(
    'agreeing states: confirmed',
    CONFIRM,
    '{CONFIRMED: RESOURCE_STATE_CONFIRMED}',
    '{RESERVED: RESOURCE_STATE_CONFIRMED}',
  ),
  broken(
    'agreeing states: revoking',
    REVOKE,
    '{REVOKING: RESOURCE_STATE_REVOKING}',
    '{CONFIRMED: RESOURCE_STATE_REVOKING}',
  ),

  // Every reserved reservation is in exactly its deadline's bucket, and nothing else is.
  broken('bucket: a hold is in none', RESERVE, '  db.wheel.schedule(row, bucket);\n', ''),
  broken('bucket: a hold is in another', RESERVE, 'schedule(row, bucket)', 'schedule(row, 0)'),
  broken('bucket: what was confirmed stays', CONFIRM, '  db.wheel.unschedule(row);\n', ''),
  broken('bucket: what was released stays', RELEASE, '  if (state === RESERVED) db.wheel.unschedule(row);\n', ''),

  // Buckets are within bounds and ordered.
  broken('bucket: longer than its bound', RESERVE, 'if (db.wheel.isFull(bucket))', 'if (false)'),
  broken('bucket: order', WHEEL, '\n    const tail = tails[bucket];', SCHEDULED_IN_FRONT),
  broken(
    'bucket: order after a snapshot',
    LOADER,
    'sortRowsByU64(live, words, RESERVATION.WORDS, RESERVATION.LSN)',
    'live.reverse()',
  ),

  // Terminal reservations have released_lsn and retire_after_slot and own nothing; live ones have neither.
  broken(
    'terminal: no released lsn',
    TRANSITIONS,
    'words[at + RELEASED_LSN] = db.lsnLo;',
    'words[at + RELEASED_LSN] = 0;',
  ),
  broken(
    'terminal: no retire-after slot',
    TRANSITIONS,
    'db.slotLo, db.slotHi, lo, hi);',
    'db.slotLo, db.slotHi, 0, 0);',
  ),
  broken('terminal: still owns', TRANSITIONS, '    db.resources.transition(resource, AVAILABLE, -1);\n', ''),
  broken('live: with a released lsn', RECORDS, 'terminal ? words[record', 'state > 1 ? words[record'),

  // Members are 0..count-1 and distinct.
  broken('members: one twice', RESERVE, '    db.resources.mark(row, MARKED);\n', ''),
  broken(
    'members: one too few',
    RESERVE,
    'RESERVATION_STATE_RESERVED, memberCount);',
    'RESERVATION_STATE_RESERVED, 1);',
  ),

  // Table counts equal the reachable records.
  broken(
    'counts: retired reservations',
    ALLOC_DB,
    'return this.reservations.stored - this.retireQueue.unswept;',
    'return this.reservations.stored;',
  ),
  broken('counts: retired operations', OPERATIONS, 'return this.stored - this.dead;', 'return this.stored;'),
  broken('counts: scheduled holds', WHEEL, '    this.scheduled--;\n', ''),

  // Free lists and key indexes are consistent.
  broken(
    'free list: a row given back is lost',
    RESERVATIONS,
    'this.free[this.freeCount++] = row;',
    'this.freeCount++;',
  ),
  broken('index: a reservation is not findable', RESERVATIONS, '    this.index.insert(lsnTag(lsnLo), row);\n', ''),
  broken(
    'index: keys behind a hole are not findable',
    INDEX,
    'if (((cell - home) & mask) >= ((cell - hole) & mask)) {',
    'if (home < 0) {',
  ),
  broken(
    'index: removed operations leave orphans',
    OPERATIONS,
    '      this.index.remove(sweptTags[i], this.head);\n',
    '',
  ),

  // Retire queues are ordered and hold exactly the terminal reservations and all operations.
  broken('retire queue: a terminal reservation is not in it', TRANSITIONS, '  db.retireQueue.append(row);\n', ''),
  broken(
    'retire queue: order after a snapshot',
    LOADER,
    'sortRowsByU64(terminal, words, RESERVATION.WORDS, RESERVATION.RELEASED_LSN)',
    'terminal.reverse()',
  ),
  broken(
    'retire queue: operations do not retire',
    OPERATIONS,
    '    this.dead = gallop(this.dead, this.stored, this.isRetired);\n',
    '',
  ),
  broken(
    'retire queue: reservations do not retire',
    RETIRE_QUEUE,
    'if (boundary === this.dead) return;',
    'if (boundary >= 0) return;',
  ),

  // created_lsn and applied_lsn are not of the future.
  broken(
    'lsn: a snapshot is loaded one lsn too early',
    ALLOC_DB,
    '    this.lastLsnLo = lsnLo;\n',
    '    this.lastLsnLo = lsnLo === 0 ? 0 : lsnLo - 1;\n',
  ),
  broken('lsn: an operation is of the next one', RETRY_CACHE, '= out.appliedLsnLo;', '= (out.appliedLsnLo + 1) | 0;'),

  // The watermark is none, or an id of this shard at or below the last lsn.
  broken(
    'watermark: of the future',
    RETIRE_QUEUE,
    'this.watermarkLo = this.highest[2 * last];',
    'this.watermarkLo = this.highest[2 * last] + 100;',
  ),
  broken(
    'watermark: falls',
    RETIRE_QUEUE,
    'this.highest[2 * entry] = this.topLo;',
    'this.highest[2 * entry] = words[lsn];',
  ),
  broken(
    'watermark: lost with a snapshot',
    RETIRE_QUEUE,
    'this.watermarkLo = this.topLo = lsnLo;',
    'this.topLo = lsnLo;',
  ),

  // Versions and epochs are at least 1 where a transition happened.
  broken('version: stays 0', RESOURCES, '    words[at + VERSION] = version;\n', ''),
  broken('epoch: begins at 0', RESERVE, 'words[at + EPOCH] = 1;', 'words[at + EPOCH] = 0;'),
  broken('epoch: does not rise', TRANSITIONS, 'words[epoch + 1], 1, 0);', 'words[epoch + 1], 0, 0);'),
];
