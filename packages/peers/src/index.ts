/**
 * What other packages' full tests need of the peers: a PostgreSQL of their own, started and ended by the test.
 */
export {findPostgres, PostgresServer} from './postgres/postgres_server.ts';
