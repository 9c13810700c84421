// All mutations, by the package that they break. A package's list may come in several files, by what is broken.
// `mutations.test.ts` holds them to the sources as they are; `pnpm mutate` applies them.
// Not here: how (`../mutate.ts`).
import type {Mutation} from './mutation.ts';
import {SIM_ENGINE_MUTATIONS} from './sim_engine.ts';
import {SIM_INVARIANT_MUTATIONS} from './sim_invariants.ts';
import {WAL_FORMAT_MUTATIONS} from './wal_format.ts';
import {WAL_RECOVERY_MUTATIONS} from './wal_recovery.ts';
import {WAL_WRITE_MUTATIONS} from './wal_write.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...WAL_FORMAT_MUTATIONS,
  ...WAL_RECOVERY_MUTATIONS,
  ...WAL_WRITE_MUTATIONS,
  ...SIM_INVARIANT_MUTATIONS,
  ...SIM_ENGINE_MUTATIONS,
];
