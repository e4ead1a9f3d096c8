import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type LeaseAgents, leaseAgents } from '../../src/clients/http.js';
import { rig } from '../support/fixtures.js';
import { thrownBy } from '../support/promises.js';

const { client } = await rig(['a']);

describe('leaseAgents', () => {
  it('gives agents that libraries take for such', () => {
    const agents = leaseAgents(client);
    expect(agents.http).toBeInstanceOf(HttpAgent);
    expect(agents.https).toBeInstanceOf(HttpsAgent);
    expect(agents.https).toMatchObject({ protocol: 'https:', defaultPort: 443, keepAlive: true });
    expect(Object.keys(agents)).toEqual(['http', 'https']); // all that got allows
    expectTypeOf(agents).toEqualTypeOf<LeaseAgents>();
    expectTypeOf(agents.https).toEqualTypeOf<HttpsAgent>();
    agents.destroy();
  });

  it('shows the agent behind: its options, limits and connections', () => {
    const httpAgent = new HttpAgent({ keepAlive: false, maxSockets: 7, timeout: 9 });
    const { http } = leaseAgents(client, { httpAgent });
    expect(http).toMatchObject({ keepAlive: false, maxSockets: 7, options: { timeout: 9 } });
    expect(http.sockets).toBe(httpAgent.sockets);
    const { https } = leaseAgents(client, { httpsAgent: { maxSockets: 3 } });
    expect(https).toMatchObject({ keepAlive: true, maxSockets: 3, options: { timeout: 5_000 } });
  });

  it.each([
    [{ httpAgent: new HttpsAgent() }, 'leaseAgents.httpAgent'],
    [{ httpsAgent: new HttpAgent() }, 'leaseAgents.httpsAgent'],
    [{ httpAgent: true }, 'leaseAgents.httpAgent'],
    [{ httpsAgent: 'x' }, 'leaseAgents.httpsAgent'],
    [{ connectTimeoutMs: 0 }, 'leaseAgents.connectTimeoutMs'],
    [{ strict: 1 }, 'leaseAgents.strict'],
    [{ hashKey: 'user' }, 'leaseAgents.hashKey'],
    [{ deadlineHeader: true }, 'leaseAgents.deadlineHeader'],
  ])('refuses %j', (options, option) => {
    const error = thrownBy(() => leaseAgents(client, options as object));
    expect(error).toMatchObject({ code: 'ERR_FAIRLEAD_INVALID_OPTION', option });
  });

  it('takes an agent for https that connects in a way of its own, as those of proxies do', () => {
    class Tunnel extends HttpAgent {
      createSocket(): void {
        throw new Error('not here');
      }
    }
    const tunnel = new Tunnel() as unknown as HttpsAgent;
    expect(() => leaseAgents(client, { httpsAgent: tunnel })).not.toThrow();
  });

  it('refuses what is neither a client nor a pool', () => {
    expect(thrownBy(() => leaseAgents({} as never))).toMatchObject({ option: 'target' });
  });
});
