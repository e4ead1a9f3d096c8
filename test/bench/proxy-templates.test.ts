import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fillTemplate } from '../../bench/proxies/template.js';

describe('fillTemplate', () => {
  it('has a line with a backend once for each, and fills in what is known', () => {
    const template = 'listen {{listen}};\n  server s{{backend}} 127.0.0.1:{{backend}};\nend';
    expect(fillTemplate(template, { backends: [7001, 7002], values: { listen: 80 } })).toBe(
      'listen 80;\n  server s7001 127.0.0.1:7001;\n  server s7002 127.0.0.1:7002;\nend',
    );
  });

  it('says which placeholder it knows nothing for', () => {
    expect(() => fillTemplate('listen {{listen}};', { backends: [], values: {} })).toThrow(
      'nothing is known for {{listen}}',
    );
  });
});

describe.each(['haproxy-plain.cfg', 'haproxy-tuned.cfg', 'nginx-plain.conf', 'nginx-tuned.conf'])(
  '%s',
  (name) => {
    const template = readFileSync(new URL(`../../bench/proxies/${name}`, import.meta.url), 'utf8');
    const values = { listen: 8_080, silentMs: 250, checkPath: '/health' };
    const filled = fillTemplate(template, { backends: [7_001, 7_002], values });
    const addresses = [...filled.matchAll(/^\s*(listen|bind|server)\b.*?([\d.]+:\d+)/gm)];

    it('listens on loopback alone, and has each backend once', () => {
      expect(addresses.map(([, , address]) => address).sort()).toEqual([
        '127.0.0.1:7001',
        '127.0.0.1:7002',
        '127.0.0.1:8080',
      ]);
    });

    it('balances by connections', () => {
      expect(filled).toMatch(/^\s*(least_conn;|balance leastconn)$/m);
    });

    it('has one thread', () => {
      expect(filled).toMatch(/^\s*(worker_processes 1;|nbthread 1)$/m);
    });
  },
);
