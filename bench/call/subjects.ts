import type { CallSubject } from './subject.js';

/** Loads one subject, and nothing of the other libraries. */
export async function loadSubject(library: string, name: string): Promise<CallSubject> {
  const found = (await subjectsOf(library)).find((subject) => subject.name === name);
  if (found === undefined) throw new Error(`no subject "${name}" of ${library}`);
  return found;
}

async function subjectsOf(library: string): Promise<readonly CallSubject[]> {
  switch (library) {
    case 'plain':
      return (await import('./plain.js')).plain;
    case 'fairlead':
      return (await import('./fairlead.js')).fairlead;
    case 'opossum':
      return (await import('./opossum.js')).opossum;
    case 'p-retry':
      return (await import('./p-retry.js')).retries;
    case 'glue':
      return (await import('./glue.js')).glue;
    case 'cockatiel':
      return (await import('./cockatiel.js')).cockatiel;
    case 'moleculer':
      return (await import('./moleculer.js')).moleculer;
    default:
      return [];
  }
}
