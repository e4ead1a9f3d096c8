/** What can go wrong with one server, or with the way to it, for some seconds. */
import type { Rng } from 'fairlead';
import type { TcpFaults } from 'fairlead/testing';
import type { Member } from './fleet.js';

/** One that was drawn: how it begins, and how it is mended. */
export interface Fault {
  readonly begin: () => Promise<void> | void;
  readonly end: () => Promise<void> | void;
}

/** What a fault can be done to. */
export interface Stage {
  readonly member: Member;
  /** Has discovery list the member, or not. */
  readonly list: (isListed: boolean) => void;
  /** Breaks the source of the list; it mends itself. */
  readonly breakSource: () => void;
}

export const FAULT_KINDS: Readonly<Record<string, (stage: Stage, rng: Rng) => Fault>> = {
  killed: ({ member }) => ({
    async begin() {
      await Promise.all([member.proxy.set({ refuse: true }, 'new'), member.kill()]);
    },
    async end() {
      await member.start();
      await member.proxy.set({});
    },
  }),
  // As behind a balancer, or a port forwarded by a container runtime: connections are accepted, and reset.
  'killed behind a proxy': ({ member }) => ({
    begin: () => member.kill(),
    end: () => member.start(),
  }),
  frozen: ({ member }) => ({
    begin() {
      member.signal('SIGSTOP');
    },
    end() {
      member.signal('SIGCONT');
    },
  }),
  'slow link': ({ member }, rng) =>
    onProxy(member, { latencyMs: between(rng, 30, 400), jitterMs: between(rng, 0, 100) }),
  'narrow link': ({ member }, rng) =>
    onProxy(member, { bytesPerSecond: Math.round(between(rng, 2_000, 50_000)) }),
  'black hole': ({ member }) => onProxy(member, { stall: 'both' }),
  'requests lost': ({ member }) => onProxy(member, { stall: 'requests' }),
  'replies lost': ({ member }) => onProxy(member, { stall: 'replies' }),
  'connections reset': ({ member }) => onProxy(member, { cut: { by: 'reset' } }),
  'reset in the reply': ({ member }, rng) =>
    onProxy(member, { cut: { by: 'reset', afterBytes: bytesOf(rng) } }),
  'reply truncated': ({ member }, rng) =>
    onProxy(member, { cut: { by: 'end', afterBytes: bytesOf(rng) } }),
  refusing: ({ member }) => onProxy(member, { refuse: true }),
  unlisted: ({ list }) => ({
    begin() {
      list(false);
    },
    end() {
      list(true);
    },
  }),
  'discovery broken': ({ breakSource }) => ({ begin: breakSource, end: () => undefined }),
};

function onProxy({ proxy }: Member, faults: TcpFaults): Fault {
  return { begin: () => proxy.set(faults), end: () => proxy.set({}) };
}

/** Before the first byte, within the headers, within a body, or after some replies. */
function bytesOf(rng: Rng): number {
  return Math.floor(rng.next() ** 2 * 5_000);
}

export function between(rng: Rng, least: number, most: number): number {
  return least + rng.next() * (most - least);
}
