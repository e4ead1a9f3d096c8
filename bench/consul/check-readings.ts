import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { rawRequest } from './raw-http.js';

export interface CheckReadings {
  readonly read: number;
  /** Readings that found a check that did not pass. */
  readonly lost: number;
}

/**
 * Reads ten times a second, as the agent itself sees it, whether the TTL checks of these services pass. One connection,
 * opened before others can have taken all.
 */
export function readChecks(
  url: string,
  services: readonly string[],
): { stop(): Promise<CheckReadings> } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let stopped = false;
  const run = async (): Promise<CheckReadings> => {
    let [read, lost] = [0, 0];
    while (!stopped) {
      const { body } = await rawRequest(`${url}/v1/agent/checks`, { agent });
      const checks = JSON.parse(body.toString()) as Record<string, { readonly Status: string }>;
      read++;
      if (services.some((name) => checks[`service:${name}`]?.Status !== 'passing')) lost++;
      await sleep(100);
    }
    agent.destroy();
    return { read, lost };
  };
  const done = run();
  done.catch(() => undefined); // whoever stops it is told
  return {
    stop: () => {
      stopped = true;
      return done;
    },
  };
}
