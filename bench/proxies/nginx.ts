import { type ProxyKind, startProxy } from './start.js';
import type { Proxy, ProxyPlan } from './types.js';

export const NGINX: ProxyKind = {
  name: 'nginx',
  variable: 'NGINX_BIN',
  version: /nginx\/(\d+\.\d+\.\d+)/,
  extension: 'conf',
  arguments: (file, folder) => ['-p', folder, '-e', 'stderr', '-c', file],
};

/** nginx with `least_conn`; fetched from Debian's package where there is none (`NGINX_BIN` names another). */
export function startNginx(plan: ProxyPlan): Promise<Proxy> {
  return startProxy(NGINX, plan);
}
