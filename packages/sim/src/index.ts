// Public surface of the simulator package: the naive model, the conformance vectors, seeded request streams.
//
// The model part imports no other package of the workspace, and must not.

export {generateStream} from './generator.ts';
export {randomConfig, randomStart} from './generator_config.ts';
export {ByteReader, ByteWriter, CodecError, type CodecProblem} from './model/bytes.ts';
export {
  RESERVATION_STATES,
  RESOURCE_STATES,
  RESULT_NAMES,
  type ReservationState,
  type ResourceState,
  type ResultName,
  resultCode,
  SLOT_OVERFLOW_KINDS,
  type SlotOverflowKind,
  STARTUP_KINDS,
  type StartupKind,
} from './model/codes.ts';
export {type ClientRequest, type Command, decodeClientRequest, encodeClientRequest} from './model/command.ts';
export {type ConfigJson, configFromJson, configToJson, type ModelConfig, operationWindow} from './model/config.ts';
export type {StateDump} from './model/dump.ts';
export {Model, type ModelStart} from './model/model.ts';
export {type ApiRequest, decodeApiRequest, encodeApiRequest} from './model/request.ts';
export {type ApiResponse, encodeApiResponse, type Failure, type Metrics, type SubmitAnswer} from './model/response.ts';
export {pageInIdOrder} from './model/scans.ts';
export type {Committed, Expiry, Operation, Reservation, Resource, SlotOverflow, State} from './model/state.ts';
export {StateMachine} from './model/state.ts';
export {Random} from './random.ts';
export {joinFrames, readVectorStream, splitFrames, type VectorRun, type VectorStream, vectorNames} from './vectors.ts';
