// Asks the server of this container whether it is ready: exit 0 when it is, 1 with the reasons on stderr when it is not. It
// goes by the environment that the server was started with, ALLOCDB_HTTP and ALLOCDB_TLS_CERT; where those settings come
// from elsewhere, or clients must show a certificate, give the container a health check of its own.
import {request as requestHttp} from 'node:http';
import {request as requestHttps} from 'node:https';

const {ALLOCDB_HTTP: address = '127.0.0.1:7480', ALLOCDB_TLS_CERT: cert, ALLOCDB_HTTP_TLS: tls} = process.env;
const isTls = tls === 'on' || (Boolean(cert) && tls !== 'off');
const port = Number(address.slice(address.lastIndexOf(':') + 1));
const TIMEOUT_MS = 4000;

/** Ends unsuccessfully. */
function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

const options = {
  // The server listens here too, or on all addresses.
  host: address.startsWith('[') ? '::1' : '127.0.0.1',
  port,
  path: '/readyz?verbose',
  timeout: TIMEOUT_MS,
  // This is the same machine; what is asked is not secret, and the certificate is for another name.
  rejectUnauthorized: false,
};

const asked = (isTls ? requestHttps : requestHttp)(options, response => {
  const chunks = [];
  response.on('data', chunk => chunks.push(chunk));
  response.on('end', () => {
    if (response.statusCode === 200) process.exit(0);
    fail(`${response.statusCode}: ${Buffer.concat(chunks).toString()}`);
  });
});
asked.on('timeout', () => fail(`no answer within ${TIMEOUT_MS} ms`));
asked.on('error', error => fail(error.message));
asked.end();
