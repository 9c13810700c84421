/**
 * `@allocdb/node/history`: the format of client histories, for whoever records one, and the checker. See
 * `docs/history.md` for what each check promises.
 */
export {type CheckOptions, checkHistory, type HistoryReport} from './check_history.ts';
export {type DirectoryLog, type HistoryLog, openDirectoryLog} from './directory_log.ts';
export {
  type Attempt,
  type AttemptAnswer,
  answerOf,
  type HistoryEntry,
  type HistoryHeader,
  type Read,
  type ReadAnswer,
  readAnswerOf,
  type ShownReservation,
  type ShownResource,
  type Span,
  type Tick,
} from './entry.ts';
export {CHECK_NAMES, CHECKS, type CheckCount, type CheckName, type Finding} from './findings.ts';
export {HistoryError, isHistoryError} from './history_error.ts';
export {type HistorySource, readHistoryFile, readHistoryText} from './history_file.ts';
export {historyHeaderLine, historyLine, parseHistoryHeader, parseHistoryLine} from './history_line.ts';
