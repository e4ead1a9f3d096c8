import { Agent } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { closeOnceDrained } from '../../src/clients/idle-sockets.js';
import type { Client } from '../../src/client.js';
import { rig, specs } from '../support/fixtures.js';

/** An agent with one idle connection for each of these keys. */
function agentWith(...keys: string[]): { readonly agent: Agent; readonly sockets: Socket[] } {
  const agent = new Agent();
  const sockets = keys.map(() => new Socket());
  keys.forEach((key, i) => Object.assign(agent.freeSockets, { [key]: sockets.slice(i, i + 1) }));
  return { agent, sockets };
}

/** A client of which instance `a` drains when told to. */
async function draining(url: { readonly protocol?: string; readonly port: number }) {
  const { client, source, clock } = await rig([]);
  source.set([{ id: 'a', host: 'a', ...url }, ...specs('b')]);
  await clock.advance(0);
  const drain = async (): Promise<void> => {
    source.set(specs('b'));
    await clock.advance(0);
  };
  return { client, drain };
}

function send(client: Client, agent: unknown): void {
  closeOnceDrained(client, { agent });
}

it.each([
  ['http', 80],
  ['https', 443],
  ['http', 8080],
])('closes the connections to that host and port alone: %s, %d', async (protocol, port) => {
  const { client, drain } = await draining({ protocol, port });
  const { agent, sockets } = agentWith(`a:${port}:`, `aa:${port}:`, `a:${port}0:`, `a:1${port}:`);
  send(client, agent);
  await drain();
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false, false]);
  await client.close();
});

it('closes one in use when it is idle, not while the next request is on it', async () => {
  const { client, drain } = await draining({ port: 80 });
  const agent = new Agent();
  const socket = new Socket();
  const inUse = { 'a:80:': [socket] };
  Object.assign(agent.sockets, inUse);
  send(client, agent);
  await drain();
  socket.emit('free'); // handed on to a request that waited
  expect(socket.destroyed).toBe(false);
  Object.assign(agent.freeSockets, inUse);
  socket.emit('free');
  expect(socket.destroyed).toBe(true);
  await client.close();
});

it.each([undefined, null, false, {}])('lets a request be whose agent is %j', async (agent) => {
  const { client, drain } = await draining({ port: 80 });
  expect(() => send(client, agent)).not.toThrow();
  await drain();
  await client.close();
});
