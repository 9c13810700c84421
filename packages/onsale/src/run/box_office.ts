/**
 * The box office: makes the seats known to the database through the typed client, in batches, and keeps a ledger like
 * everybody else.
 */
import {operationId, resourceId} from '@allocdb/api';
import {connect} from '@allocdb/client';
import {LedgerWriter, nowUs} from '../ledger.ts';
import {BOX_OFFICE, operationOf} from '../settings.ts';

const BATCH = 2000;

/** Creates these resources; resolves when all of them are durable. */
export async function createSeats(
  port: number,
  seed: number,
  resources: readonly string[],
  ledgerFile: string,
): Promise<void> {
  const ledger = new LedgerWriter(ledgerFile);
  await using database = await connect(`allocdb://127.0.0.1:${port}`);
  for (let first = 0; first < resources.length; first += BATCH) {
    const commands = resources.slice(first, first + BATCH).map((resource, i) => ({
      command: 'create_resource' as const,
      resource: resourceId(resource),
      operationId: operationId(operationOf(seed, BOX_OFFICE, first + i)),
    }));
    const sentUs = nowUs();
    const answers = await database.batch(commands);
    const receivedUs = nowUs();
    for (const [i, answer] of answers.entries()) {
      if (answer.result === 'not_answered') throw answer.error;
      const seat = commands[i]?.resource ?? '';
      ledger.add({
        entry: 'answer',
        life: 0,
        sentUs,
        receivedUs,
        sends: 1,
        operation: answer.operation,
        command: {kind: 'create_resource', seats: [seat], holder: null, lease: null, ttl: null, epoch: null},
        result: answer.result === 'created' ? 'ok' : answer.result,
        lsn: Number(answer.lsn),
        granted: null,
        deadline: null,
        cached: answer.fromRetryCache,
      });
    }
  }
  ledger.close();
}
