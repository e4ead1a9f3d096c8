import type { Subject } from './subject.js';

/** Loads one subject, and nothing of the other libraries. */
export async function loadSubject(library: string, name: string): Promise<Subject> {
  const found = (await subjectsOf(library)).find((subject) => subject.name === name);
  if (found === undefined) throw new Error(`no subject "${name}" of ${library}`);
  return found;
}

async function subjectsOf(library: string): Promise<readonly Subject[]> {
  switch (library) {
    case 'fairlead':
      return (await import('./fairlead.js')).pickers;
    case 'fairlead client':
      return (await import('./fairlead.js')).clients;
    case 'fairlead lease':
      return [(await import('./fairlead.js')).leaseAlone];
    case 'floor':
      return (await import('./controls.js')).floors;
    case 'control':
      return (await import('./controls.js')).controls;
    case 'load-balancers':
      return (await import('./peers/load-balancers.js')).loadBalancers;
    case 'loadbalance':
      return (await import('./peers/loadbalance.js')).loadbalance;
    case 'moleculer':
      return (await import('./peers/moleculer.js')).moleculer;
    case 'undici':
      return (await import('./peers/undici.js')).undici;
    case 'grpc-js':
      return (await import('./peers/grpc.js')).grpc;
    default:
      return [];
  }
}
