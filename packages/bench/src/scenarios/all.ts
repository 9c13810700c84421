/**
 * Every scenario, in the order in which they run when none is named: first what must be right, then what should be fast,
 * the longest last. A new scenario is a file beside this one and a line here.
 */
import type {Scenario} from '../scenario.ts';
import {CHECKPOINT} from './checkpoint.ts';
import {CORE} from './core.ts';
import {ENGINE} from './engine.ts';
import {FEED} from './feed.ts';
import {HOT_SPOT} from './hot_spot.ts';
import {HTTP} from './http.ts';
import {LATENCY} from './latency.ts';
import {LOG} from './log.ts';
import {RECOVERY} from './recovery.ts';
import {RETRY_WINDOW} from './retry_window.ts';
import {TCP} from './tcp.ts';

export const SCENARIOS: readonly Scenario[] = [
  HOT_SPOT,
  RETRY_WINDOW,
  CORE,
  LOG,
  ENGINE,
  TCP,
  HTTP,
  FEED,
  LATENCY,
  RECOVERY,
  CHECKPOINT,
];
