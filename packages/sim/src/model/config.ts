// The configuration as the model sees it, and its JSON form (u64 as decimal strings, u32 as numbers).
//
// Only the values are here. Which configurations are acceptable is the engine's to decide; a model is built from one
// that already is.

export interface ModelConfig {
  shardId: bigint;
  maxResources: number;
  maxReservations: number;
  maxBundleSize: number;
  maxOperations: number;
  maxTtlSlots: bigint;
  maxClientRetryWindowSlots: bigint;
  reservationHistoryWindowSlots: bigint;
  maxExpirationBucketLen: number;
  /** Null: the sum of the longest hold and the client retry window. */
  operationWindowSlots: bigint | null;
  maxSubmissionQueue: number;
  maxCommandBytes: number;
  maxExpirationsPerTick: number;
}

export interface ConfigJson {
  core: {
    shard_id: string;
    max_resources: number;
    max_reservations: number;
    max_bundle_size: number;
    max_operations: number;
    max_ttl_slots: string;
    max_client_retry_window_slots: string;
    reservation_history_window_slots: string;
    max_expiration_bucket_len: number;
    operation_window_slots?: string;
  };
  engine: {
    max_submission_queue: number;
    max_command_bytes: number;
    max_expirations_per_tick: number;
  };
}

/** How long an operation record answers retries. */
export function operationWindow(config: ModelConfig): bigint {
  return config.operationWindowSlots ?? config.maxTtlSlots + config.maxClientRetryWindowSlots;
}

export function configFromJson(json: ConfigJson): ModelConfig {
  const {core, engine} = json;
  return {
    shardId: BigInt(core.shard_id),
    maxResources: core.max_resources,
    maxReservations: core.max_reservations,
    maxBundleSize: core.max_bundle_size,
    maxOperations: core.max_operations,
    maxTtlSlots: BigInt(core.max_ttl_slots),
    maxClientRetryWindowSlots: BigInt(core.max_client_retry_window_slots),
    reservationHistoryWindowSlots: BigInt(core.reservation_history_window_slots),
    maxExpirationBucketLen: core.max_expiration_bucket_len,
    operationWindowSlots: core.operation_window_slots === undefined ? null : BigInt(core.operation_window_slots),
    maxSubmissionQueue: engine.max_submission_queue,
    maxCommandBytes: engine.max_command_bytes,
    maxExpirationsPerTick: engine.max_expirations_per_tick,
  };
}

export function configToJson(config: ModelConfig): ConfigJson {
  const window = config.operationWindowSlots;
  return {
    core: {
      shard_id: String(config.shardId),
      max_resources: config.maxResources,
      max_reservations: config.maxReservations,
      max_bundle_size: config.maxBundleSize,
      max_operations: config.maxOperations,
      max_ttl_slots: String(config.maxTtlSlots),
      max_client_retry_window_slots: String(config.maxClientRetryWindowSlots),
      reservation_history_window_slots: String(config.reservationHistoryWindowSlots),
      max_expiration_bucket_len: config.maxExpirationBucketLen,
      ...(window === null ? {} : {operation_window_slots: String(window)}),
    },
    engine: {
      max_submission_queue: config.maxSubmissionQueue,
      max_command_bytes: config.maxCommandBytes,
      max_expirations_per_tick: config.maxExpirationsPerTick,
    },
  };
}
