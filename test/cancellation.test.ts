import { describe, expect, it } from 'vitest';
import { Cancellation } from '../src/cancellation.js';

describe('who listens to a cancellation', () => {
  interface Listener {
    handleEvent(): void;
  }

  function listening(): { readonly told: string[]; readonly by: (name: string) => Listener } {
    const told: string[] = [];
    return { told, by: (name) => ({ handleEvent: () => void told.push(name) }) };
  }

  it('is told once, a function or an object, in the order they came', () => {
    const { told, by } = listening();
    const cancellation = new Cancellation();
    const first = by('first');
    cancellation.addEventListener('abort', first);
    cancellation.addEventListener('abort', first);
    cancellation.addEventListener('abort', () => told.push('second'));
    const third = by('third');
    cancellation.addEventListener('abort', third);
    cancellation.addEventListener('abort', third);
    cancellation.abort('enough');
    cancellation.abort('again');
    expect(told).toEqual(['first', 'second', 'third']);
    expect(cancellation).toMatchObject({ aborted: true, reason: 'enough' });
  });

  it('is not told once it was taken out, first or not', () => {
    const { told, by } = listening();
    const cancellation = new Cancellation();
    const [a, b, c] = [by('a'), by('b'), by('c')];
    for (const one of [a, b, c]) cancellation.addEventListener('abort', one);
    cancellation.removeEventListener('abort', a);
    cancellation.removeEventListener('abort', c);
    cancellation.abort('enough');
    expect(told).toEqual(['b']);
  });
});
