/** Over TLS each client accepts and refuses through Fairlead what it accepts and refuses by itself. */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/index.js';
import { memoryAdapter } from '../../src/testing.js';
import { closeAfterwards } from './servers.js';
import { type Caller, CALLERS, type CallerTls, type Sent } from './tls-callers.js';
import { CASES, type TlsCase } from './tls-cases.js';
import { type Outcome, outcomeOf } from './tls-outcome.js';
import { pem, serveTls, type TlsServer } from './tls-servers.js';

interface Cell {
  readonly outcome: Outcome;
  /** The names that certificates were held against. */
  readonly checked: readonly string[];
  readonly handshakes: number;
  readonly requests: number;
}

/** The options of a case, and a record of the names asked about. */
function watched({ tls, trustsNobody }: TlsCase): { tls: CallerTls; checked: string[] } {
  const checked: string[] = [];
  return {
    checked,
    tls: {
      ...(trustsNobody !== true && { ca: pem('authority') }),
      ...tls,
      checkServerIdentity(host, certificate) {
        checked.push(host);
        return checkServerIdentity(host, certificate);
      },
    },
  };
}

const sentOf = ({ method = 'GET', headers }: TlsCase): Sent => ({
  method,
  ...(headers !== undefined && { headers }),
  ...(method === 'POST' && { body: 'a body' }),
});

/** The host of the URL that the direct call is made to: what `tls.servername` stands for. */
const directHost = ({ service = 'orders', servername = service }: TlsCase): string => servername;

async function directly(caller: Caller, one: TlsCase): Promise<Cell> {
  const host = directHost(one);
  // A name is looked up, and found to be this machine; an address is where the server must be.
  const server = await serveTls(one.server, isIP(host) === 0 ? '127.0.0.1' : host);
  const { tls, checked } = watched(one);
  const url = `https://${host}:${server.port}/x`;
  const outcome = await outcomeOf(caller.open(tls).send(url, sentOf(one)));
  return cell(outcome, checked, server);
}

async function through(caller: Caller, one: TlsCase): Promise<Cell> {
  const server = await serveTls(one.server);
  const { service = 'orders', servername } = one;
  const client = createClient({
    service,
    discovery: memoryAdapter([server.spec]),
    tls: { servername },
    breaker: false,
    retry: false, // by itself the caller makes one attempt, too
  });
  closeAfterwards(client);
  const { tls, checked } = watched(one);
  const url = `https://${service}:${server.port}/x`;
  const outcome = await outcomeOf(caller.open(tls, client).send(url, sentOf(one)));
  return cell(outcome, checked, server);
}

function cell(outcome: Outcome, checked: readonly string[], server: TlsServer): Cell {
  return { outcome, checked, handshakes: server.handshakes, requests: server.seen.length };
}

/** Ports differ, and so does the host where `tls.servername` stands in for it. */
function comparable({ outcome, ...rest }: Cell, one: TlsCase): unknown {
  if (!outcome.accepted) return { outcome, ...rest };
  const { host, ...seen } = outcome.seen;
  const isTheSame = one.servername === undefined;
  return { ...rest, seen: { ...seen, host: isTheSame && host.replace(/:\d+$/, ':port') } };
}

describe.each(CALLERS)('$name: a certificate', (caller) => {
  const cases = CASES.filter(({ headers }) => headers === undefined || caller.ownHost);

  it.each(cases)('$name', async (one) => {
    const direct = await directly(caller, one);
    expect(direct.outcome).toMatchObject({ accepted: one.accepted });
    const wrapped = await through(caller, one);
    const deviation = caller.deviations?.[one.name];
    if (deviation !== undefined) {
      expect(wrapped).toMatchObject(deviation.instead);
      expect(comparable(wrapped, one)).not.toEqual(comparable(direct, one));
      return;
    }
    expect(comparable(wrapped, one)).toEqual(comparable(direct, one));
    if (one.servername !== undefined && wrapped.outcome.accepted) {
      expect(wrapped.outcome.seen.host).toMatch(new RegExp(`^${one.service ?? 'orders'}:`));
    }
  });
});
