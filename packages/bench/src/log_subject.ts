/**
 * What the closed loop of the scenario `log` drives: something that takes records of one size and makes them durable
 * frame by frame. Here the log itself behind that interface; the bare loop beside it is in `log_bare.ts`.
 *
 * Nothing in an append or a commit is more than a call handed on, so that what is measured is the log.
 */
import {type CommitMode, RECORD_FLAG, STATUS, Wal} from '@allocdb/wal';

/** Payload of every record of the scenario. */
export const RECORD_BYTES = 100;
/** Segments that the log makes unless it is told otherwise, and the size of the file of a bare loop beside it. */
export const DEFAULT_FILE_BYTES: number = 64 << 20;

const RECORD_TYPE = 1;

/** Takes records and makes them durable. */
export interface LogSubject {
  /** One record into the open frame; throws Error where it is refused. */
  append(): void;
  /** Resolves when everything appended is durable; the waiters of a frame share its sync. */
  commit(): Promise<void>;
  /** A signed word that differs from before whenever a further frame has become durable. */
  readonly durableWord: number;
  /** How many records are durable. */
  readonly durableRecords: number;
  close(): Promise<void>;
}

/** The payload of every record: bytes that are not all alike. */
export function recordPayload(): Uint8Array {
  return Uint8Array.from({length: RECORD_BYTES}, (_, i) => (i * 37 + 11) & 255);
}

/** How the log of a run is opened; everything else is its default. */
export interface WalSubjectOptions {
  readonly dir: string;
  readonly commitMode: CommitMode;
  readonly segmentBytes?: number;
  /** False for a run that stays within its first segment, where a second one must not disturb. */
  readonly background?: boolean;
}

/** The log as it is. */
export class WalSubject implements LogSubject {
  readonly #wal: Wal;
  readonly #payload: Uint8Array = recordPayload();
  readonly #rollsAtStart: number;

  constructor(options: WalSubjectOptions) {
    this.#wal = Wal.open(options);
    this.#rollsAtStart = this.#wal.metrics.rolls;
  }

  append(): void {
    const status = this.#wal.append(RECORD_TYPE, RECORD_FLAG.REQUIRED, 0, 0, this.#payload, 0, RECORD_BYTES);
    if (status !== STATUS.OK) throw new Error(`the log refused a record: status ${status}`);
  }

  commit(): Promise<void> {
    return this.#wal.commit();
  }

  get durableWord(): number {
    return this.#wal.durableLsnLo;
  }

  get durableRecords(): number {
    return this.#wal.metrics.records;
  }

  /** Changes of segment; the first segment of a fresh log is none. */
  get rolls(): number {
    return this.#wal.metrics.rolls - this.#rollsAtStart;
  }

  close(): Promise<void> {
    return this.#wal.close();
  }
}
