// The campaigns, as data: the program that each of their processes runs, its workloads, and how counts are named in
// what is printed. A program is given one order as JSON and answers in lines of JSON; the log's, which is the first,
// says how (`packages/wal/test/campaign/wal_worker.ts`).

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
}

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
};
