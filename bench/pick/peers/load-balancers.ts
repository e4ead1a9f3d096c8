import { P2cBalancer, RandomBalancer } from 'load-balancers';
import type { Subject } from '../subject.js';

/** Both know only how many there are; the array of servers is the caller's. No weights, no exclusions. */
export const loadBalancers: readonly Subject[] = [P2cBalancer, RandomBalancer].map((Balancer) => ({
  library: 'load-balancers',
  name: Balancer.name,
  prepare(n) {
    const servers = Array.from({ length: n }, (_, i) => ({ port: i + 1 }));
    const balancer = new Balancer(n);
    return {
      pick(times) {
        let sum = 0;
        for (let i = 0; i < times; i++) sum += servers[balancer.pick()]?.port ?? 0;
        return sum;
      },
      update: () => new Balancer(n - 1),
    };
  },
}));
