/**
 * The state of a data directory in the form of the final-state files beside the vectors. No process may hold it.
 */
import {SingleNodeEngine} from '@allocdb/node';
import {dumpState, type StateDump} from '@allocdb/node/testing';

/** Opens, which replays and checks everything; dumps; closes. */
export function dumpDirectory(dir: string): StateDump {
  const engine = SingleNodeEngine.open({dir});
  try {
    return dumpState(engine.db);
  } finally {
    engine.closeNow();
  }
}
