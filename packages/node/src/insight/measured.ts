/**
 * What was measured, as numbers that estimates rest on: each with the table of docs/performance.md that it is from. They
 * are of one machine (two virtual cores, a sync of 0.15 ms); another one differs, and an estimate says so.
 */

/** Frames that one disk makes durable, one after the other: `submitBytes`, 1 outstanding ("In process"). */
export const FRAMES_PER_SECOND = 5170;

/** Durable answers over TCP at the highest load, 16x512 ("Over TCP"). */
export const ANSWERS_PER_SECOND = 840_000;

/** Records that opening replays: `SingleNodeEngine.open` ("Recovery"). */
export const REPLAYED_RECORDS_PER_SECOND = 1_180_000;

/** Records of a snapshot that opening loads and checks, all stages: 4,000,500 in 3.03 s ("Recovery"). */
export const LOADED_RECORDS_PER_SECOND = 1_320_000;

/** What writing a snapshot reaches under load, where it is allowed 32 MiB/s ("Checkpoints"). */
export const SNAPSHOT_BYTES_PER_SECOND_UNDER_LOAD: number = 20 << 20;
