/**
 * A device whose state is a row of PostgreSQL, and the row itself refuses a holder whose lease is over: each write carries
 * the lease's fence, and the row keeps the highest one it has seen. No clock and no lock is involved, so a worker that
 * slept through its deadline, or whose packet did, changes nothing.
 *
 * A fence is a reservation id, 32 hex digits, which PostgreSQL reads as a uuid; uuids compare as the numbers they are.
 */
import type {ReservationId} from '@allocdb/client';
import type {ClientBase} from 'pg';

/** The table. A device that nobody has held yet has the lowest fence there is. */
export const DEVICE_TABLE = `CREATE TABLE device (
  name text PRIMARY KEY,
  state text NOT NULL DEFAULT 'idle',
  fence uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
)`;

/** Sets a device's state on behalf of a holder; false when somebody holds it, or has held it, who came later. */
export async function setState(db: ClientBase, device: string, state: string, fence: ReservationId): Promise<boolean> {
  const {rowCount} = await db.query('UPDATE device SET state = $2, fence = $3 WHERE name = $1 AND fence <= $3', [
    device,
    state,
    fence,
  ]);
  return rowCount === 1;
}
