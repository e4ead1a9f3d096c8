import { type ProxyKind, startProxy } from './start.js';
import type { Proxy, ProxyPlan } from './types.js';

export const HAPROXY: ProxyKind = {
  name: 'haproxy',
  variable: 'HAPROXY_BIN',
  version: /HAProxy version (\d+\.\d+\.\d+)/i,
  extension: 'cfg',
  arguments: (file) => ['-db', '-f', file],
};

/** haproxy with `balance leastconn`; fetched from Debian's package where there is none (`HAPROXY_BIN` names another). */
export function startHaproxy(plan: ProxyPlan): Promise<Proxy> {
  return startProxy(HAPROXY, plan);
}
