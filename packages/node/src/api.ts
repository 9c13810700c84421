/**
 * The API codecs, as part of the engine's own surface. They are a package of their own so that a client needs neither
 * engine nor log.
 */
export * from '@allocdb/api';
