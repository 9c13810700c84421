// The campaigns, as data: the program that each of their processes runs, its workloads, and how counts are named in
// what is printed. A program is given one order as JSON and answers in lines of JSON; the loop that all of them share
// says how (`packages/campaign/src/worker.ts`).

export interface CountLine {
  readonly workload: string;
  /** Names of counts and the words for them, in the order in which they are printed. */
  readonly counts: readonly (readonly [count: string, words: string])[];
}

export interface Campaign {
  readonly about: string;
  /** From the repository's root. */
  readonly program: string;
  readonly lines: readonly CountLine[];
  /** How many cycles a seed runs, where the campaign is counted in cycles. */
  readonly cyclesPerSeed?: number;
  /** How many frames a seed sends, where the campaign is counted in frames. */
  readonly framesPerSeed?: number;
  /** Processes, where they are not to be as many as there are cores: they would measure each other. */
  readonly workers?: number;
}

/** Where the simulator ends processes; its own list is `packages/sim/src/simulator/crash_points.ts`. */
const CRASH_POINTS: readonly string[] = [
  'client_before_append',
  'client_after_apply',
  'client_after_sync',
  'internal_before_append',
  'internal_after_apply',
  'internal_after_sync',
  'after_snapshot_write',
  'after_snapshot_publish',
  'after_log_truncation',
  'after_snapshot_load',
  'after_tail_cut',
  'after_replay_read',
  'before_call',
  'within_call',
  'after_call',
  'within_opening_call',
  'within_snapshot_write',
  'within_segment_change',
];

/** With what a server may end a connection that abuses it; see `CONNECTION_ERROR_NAMES` of `@allocdb/api`. */
const CONNECTION_ERRORS: readonly string[] = [
  'bad_magic',
  'unsupported_version',
  'unauthorized',
  'frame_too_large',
  'empty_frame',
  'malformed_request',
  'batch_too_large',
  'forbidden',
];

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  wal: {
    about: 'the log under power cuts, flipped bits, damages and failing calls, and surrogates over crashes',
    program: 'packages/wal/test/campaign/wal_worker.ts',
    lines: [
      {
        workload: 'power_cuts',
        counts: [
          ['cuts', 'power cuts'],
          ['kills', 'kills'],
          ['recoveries', 'recoveries'],
          ['torn', 'torn'],
          ['unclean', 'unclean'],
          ['clean', 'clean'],
          ['openingsCut', 'openings cut'],
          ['repeated', 'repeated'],
          ['interrupted', 'interrupted and repeated'],
          ['groups', 'groups whole'],
          ['groupsLost', 'groups absent'],
        ],
      },
      {
        workload: 'bits',
        counts: [
          ['bits', 'bits'],
          ['refused', 'refused'],
          ['harmless', 'harmless'],
          ['cut', 'unproven frame cut'],
          ['opened', 'opened for writing too'],
        ],
      },
      {
        workload: 'damages',
        counts: [
          ['damages', 'damages'],
          ['refused', 'refused'],
        ],
      },
      {
        workload: 'call_failures',
        counts: [
          ['callFailures', 'call failures'],
          ['reported', 'reported as errors'],
          ['scripts', 'scripts'],
        ],
      },
      {
        workload: 'surrogates',
        counts: [
          ['crashes', 'surrogate crashes'],
          ['assigned', 'assigned'],
          ['truncated', 'segments truncated'],
        ],
      },
    ],
  },
  equivalence: {
    about: 'the core against the naive model, and snapshots at every lsn of random runs',
    program: 'packages/sim/test/campaign/equivalence_worker.ts',
    lines: [
      {
        workload: 'streams',
        counts: [
          ['commands', 'commands equal'],
          ['streams', 'streams'],
          ['digests', 'digests'],
          ['dumps', 'whole states'],
          ['reloads', 'reloaded meanwhile'],
          ['ok', 'answered ok'],
          ['retries', 'answered again'],
          ['conflicts', 'conflicts'],
        ],
      },
      {
        workload: 'snapshots',
        counts: [
          ['snapshots', 'snapshots'],
          ['sliced', 'read in slices too'],
          ['replayed', 'commands answered again'],
          ['digests', 'digests'],
        ],
      },
    ],
  },
  rot: {
    about: 'a data directory with every bit flipped, its small files edited, its sectors damaged',
    program: 'packages/sim/test/campaign/rot_worker.ts',
    lines: [
      {
        workload: 'bits',
        counts: [
          ['bits', 'bits'],
          ['refused', 'refused'],
          ['set_aside', 'snapshot set aside'],
          ['unneeded', 'not needed'],
          ['harmless', 'harmless'],
          ['cut', 'unproven frame cut'],
        ],
      },
      {
        workload: 'edits',
        counts: [
          ['edits', 'edits of small files'],
          ['refused', 'refused'],
          ['set_aside', 'snapshot set aside'],
          ['unneeded', 'not needed'],
          ['harmless', 'harmless'],
          ['cut', 'unproven frame cut'],
        ],
      },
      {
        workload: 'sectors',
        counts: [
          ['damages', 'damaged sectors'],
          ['refused', 'refused'],
          ['set_aside', 'snapshot set aside'],
          ['unneeded', 'not needed'],
          ['harmless', 'harmless'],
          ['cut', 'unproven frame cut'],
        ],
      },
    ],
  },
  sim: {
    about: 'the whole engine in a simulated world: clients, clock, disk, crashes and failing calls by a schedule',
    program: 'packages/sim/test/campaign/sim_worker.ts',
    lines: [
      {
        workload: 'schedules',
        counts: [
          ['events', 'events'],
          ['seeds', 'seeds'],
          ['answers', 'answers checked'],
          ['crashes', 'crashes'],
          ['powerCuts', 'of which power cuts'],
          ['openings', 'openings'],
          ['restarts', 'orderly restarts'],
          ['probes', 'copies recovered'],
          ['faults', 'calls failed'],
          ['halts', 'halts'],
          ['checkpoints', 'checkpoints'],
          ['resolved', 'unknown commands resolved'],
          ['resolvedFromLog', 'of which from the log'],
          ...CRASH_POINTS.map(point => [point, point.replaceAll('_', ' ')] as const),
        ],
      },
    ],
  },
  kill: {
    about: 'the real server with 32 connections, killed and started again, and what every client was told as a history',
    program: 'packages/server/test/campaign/kill_worker.ts',
    cyclesPerSeed: 10,
    lines: [
      {
        workload: 'kills',
        counts: [
          ['cycles', 'cycles'],
          ['kills', 'kills'],
          ['inRecovery', 'during recovery'],
          ['inCheckpoint', 'during a checkpoint'],
          ['behindCheckpoint', 'behind one'],
          ['answers', 'answers'],
          ['askedAgain', 'acknowledged asked again'],
          ['unanswered', 'unanswered settled'],
          ['happened', 'of them had happened'],
          ['notHappened', 'had not'],
          ['attempts', 'history attempts checked'],
          ['reads', 'reads'],
          ['records', 'records replayed'],
          ['findings', 'findings'],
        ],
      },
    ],
  },
  abuse: {
    about: 'the real server under random and changed frames and requests of HTTP, and how long an honest client waits',
    program: 'packages/server/test/campaign/abuse_worker.ts',
    framesPerSeed: 250_000,
    workers: 1,
    lines: [
      {
        workload: 'frames',
        counts: [
          ['frames', 'frames'],
          ['read', 'read by the server'],
          ['answers', 'answers judged'],
          ['connections', 'connections'],
          ['told_half_close', 'ended in order'],
          ...CONNECTION_ERRORS.map(name => [`told_${name}`, name] as const),
          ['httpRequests', 'HTTP requests'],
          ['httpAnswers', 'answered'],
          ['honest', 'honest answers'],
        ],
      },
    ],
  },
};
