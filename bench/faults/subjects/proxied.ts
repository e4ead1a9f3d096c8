import { Pool } from 'undici';
import type { Subject } from './subject.js';
import { asking } from './undici.js';

/** The client knows of one address, and leaves all else to the proxy. */
function through(proxy: 'nginx' | 'haproxy', setup: string): Subject {
  return {
    proxy,
    setup,
    open: ({ proxyUrl = '' }) => asking(new Pool(proxyUrl), proxyUrl),
  };
}

export const PROXIED: Readonly<Record<string, Subject>> = {
  'nginx least_conn, tuned': through('nginx', 'undici Pool to bench/proxies/nginx-tuned.conf'),
  'haproxy leastconn, tuned': through(
    'haproxy',
    'undici Pool to bench/proxies/haproxy-tuned.cfg; the check of a backend that answers 500 fails, too',
  ),
};
