import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { HttpCheck } from '../http-check-options.js';
import type { Instance } from '../types.js';
import { named, type Probe, quieten } from './probe.js';

/** As much of a body is read at most, in bytes. */
const LONGEST_BODY = 65_536;
/** Service names that can stand in a `Host` header. */
const HOST_NAME = /^[\w.-]+$/;

type Ask = (instance: Instance, path: string, signal: AbortSignal) => http.ClientRequest;

/**
 * Good when a path is answered with the status and the body expected; no redirect is followed. Where paths prove roles
 * they are asked one after the other, and the first good one tells the role.
 *
 * Each request has a connection of its own: what is asked is also whether a new caller would get through.
 *
 * @param service sent as `Host` unless the headers hold one, and, over TLS, the name that the certificate must hold.
 */
export function httpProbe(check: HttpCheck, service: string): Probe {
  const { path = '/', roles } = check;
  const paths: readonly (readonly [string | undefined, string])[] =
    roles === undefined ? [[undefined, path]] : Object.entries(roles);
  const ask = asker(check, service);
  return async (instance, signal) => {
    let failure: unknown;
    for (const [role, path] of paths) {
      const request = ask(instance, path, signal);
      try {
        await judge(request, check);
        return role;
      } catch (error) {
        failure = error;
      } finally {
        request.destroy();
      }
    }
    throw failure;
  };
}

function asker(check: HttpCheck, service: string): Ask {
  const { method = 'GET', port, protocol, tls } = check;
  const headers = {
    ...(HOST_NAME.test(service) && { host: service }),
    'user-agent': 'fairlead-health-check',
    ...check.headers,
  };
  let tlsAgent: https.Agent | undefined;
  return (instance, path, signal) => {
    const { host } = instance;
    const options = { host, port: port ?? instance.port, method, path, headers, signal };
    const request =
      (protocol ?? instance.protocol) === 'https'
        ? https.request({ ...options, agent: (tlsAgent ??= agentFor(tls, service)) })
        : http.request({ ...options, agent: false });
    request.once('socket', quieten);
    return request.end();
  };
}

/** Reads certificates once, and checks the server's each time. */
function agentFor(tls: HttpCheck['tls'] = {}, service: string): https.Agent {
  const { ca, cert, key, servername = service } = tls;
  return new https.Agent({
    keepAlive: false,
    maxCachedSessions: 0, // of a resumed session Node does not check the name again
    secureContext: createSecureContext({
      ca: ca && [ca].flat().map(asNodeHasIt),
      cert: cert && asNodeHasIt(cert),
      key: key && asNodeHasIt(key),
    }),
    servername: isIP(servername) === 0 ? servername : '', // an address is no server name (RFC 6066, 3)
    checkServerIdentity: (_host, certificate) => checkServerIdentity(servername, certificate),
    rejectUnauthorized: true, // whatever NODE_TLS_REJECT_UNAUTHORIZED says
  });
}

function asNodeHasIt(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem);
}

/** @throws why the answer is not good. */
async function judge(request: http.ClientRequest, check: HttpCheck): Promise<void> {
  const { expectedStatus, expectedBody } = check;
  const response = await answerTo(request);
  const status = response.statusCode ?? 0;
  const isGood =
    expectedStatus === undefined
      ? status >= 200 && status <= 299
      : [expectedStatus].flat().includes(status);
  if (!isGood) throw new Error(`HTTP ${String(status)}`);
  if (expectedBody === undefined) return;
  const body = await readBody(response, expectedBody);
  const matches =
    typeof expectedBody === 'string'
      ? body.includes(expectedBody)
      : body.toString().search(expectedBody) >= 0; // `test` of a global one begins where it last ended
  if (!matches) throw new Error('body does not match');
}

function answerTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', (error) => {
      reject(named(error));
    });
    request.once('close', () => {
      reject(new Error('connection closed without an answer'));
    });
  });
}

/** The body, or as much of it as decides. */
async function readBody(
  response: http.IncomingMessage,
  expected: string | RegExp,
): Promise<Buffer> {
  let body = Buffer.alloc(0);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      body = Buffer.concat([body, chunk]).subarray(0, LONGEST_BODY);
      const isFound = typeof expected === 'string' && body.includes(expected);
      if (isFound || body.length === LONGEST_BODY) break;
    }
  } catch (error) {
    throw named(error);
  }
  return body;
}
