/**
 * A history as a schema: the form in which `@allocdb/node` writes it for everybody, so that the command line and this port
 * show the same.
 */
import {type TSchema, Type} from 'typebox';

const strict = {additionalProperties: false} as const;

const text = (description: string): TSchema => Type.String({description});
const orNull = (description: string): TSchema => Type.Unsafe({type: ['string', 'null'], description});
const count = (description: string): TSchema => Type.Integer({description});
const numberOrNull = (description: string): TSchema => Type.Unsafe({type: ['number', 'null'], description});
/** An object or null: without a schema of its own inside, because alternatives are slow to write. */
const nullable = (schema: TSchema): TSchema => Type.Unsafe({...schema, type: ['object', 'null']});

const Holding = Type.Object(
  {
    reservation_id: text('The reservation.'),
    holder_id: text('Its holder.'),
    since_lsn: text('Where it was granted.'),
    since_slot: orNull('When, if that was seen.'),
    deadline_slot: text('Until when, unless confirmed.'),
    state: orNull('reserved, confirmed, revoking, released, expired or revoked; null where not known.'),
    epoch: orNull('Its epoch.'),
    state_lsn: orNull('Where it came into this state.'),
    state_slot: orNull('When it did.'),
    resource_count: count('How many resources it holds together.'),
  },
  strict,
);

const Event = Type.Object(
  {
    lsn: text('Where it stands in the log.'),
    slot: text('When it was applied.'),
    age_ms: numberOrNull('How long ago.'),
    kind: text('The command, or expire.'),
    result: orNull('What was answered; null in a log from before that was noted.'),
    operation_id: orNull('The operation; null for an expiration.'),
    client_id: orNull('The client.'),
    reservation_id: orNull('The reservation that it granted or named.'),
    holder_id: orNull('The holder that it named.'),
    lease_epoch: orNull('The epoch that it named.'),
    ttl_slots: orNull('For how long something was to be held.'),
    deadline_slot: orNull('When the hold ends or ended.'),
    resource_count: count('How many resources it named.'),
    reason: Type.Object(
      {
        code: text('Why it was answered so.'),
        resource_id: orNull('The resource that decided.'),
        holding: nullable(Holding),
        bound: orNull('The setting that refused it.'),
        since_lsn: orNull('Since when a resource has existed that was to be created.'),
        text: text('The same in words.'),
      },
      strict,
    ),
  },
  strict,
);

/** Everything that is known of a resource, and of an operation where one was asked about. */
export const History: TSchema = Type.Object(
  {
    resource_id: orNull('The resource.'),
    log: Type.Object({first_lsn: text('Where the log begins.'), last_lsn: text('As far as it was read.')}, strict),
    now_slot: orNull('The slot that is now.'),
    slot_ms: numberOrNull('Milliseconds of a slot.'),
    known_at_lsn: orNull('Where the state is known beside the log.'),
    standing: orNull('absent, free, held or unknown.'),
    holding: nullable(Holding),
    events: Type.Array(Event, {description: 'Oldest first.'}),
    events_dropped: count('Older events that are not shown.'),
    operation: nullable(
      Type.Object(
        {
          operation_id: text('The operation.'),
          answers: Type.Array(Event, {description: 'Each time it was executed: once, unless it was forgotten.'}),
          remembered: nullable(
            Type.Object(
              {
                lsn: text('Where it stands.'),
                result: text('What was answered.'),
                reservation_id: orNull('What it granted.'),
                deadline_slot: orNull('Until when.'),
              },
              strict,
            ),
          ),
        },
        strict,
      ),
    ),
  },
  {...strict, description: 'What happened to a resource, and why.'},
);
