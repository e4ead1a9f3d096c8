import { type CallSubject, failing, failingInTurn, inTurn, noop } from './subject.js';

/** What any call costs that nothing protects. */
export const plain: readonly CallSubject[] = [
  { library: 'plain', name: 'await', prepare: () => ({ run: inTurn(noop) }) },
  {
    library: 'plain',
    name: 'await, AbortController and its signal',
    prepare: () => ({
      run: inTurn(() => {
        const { signal } = new AbortController();
        return Promise.resolve(signal.aborted ? 0 : 1);
      }),
    }),
  },
  {
    library: 'plain',
    name: 'rejection with a new Error',
    prepare: () => ({ run: failingInTurn(failing) }),
  },
  {
    library: 'plain',
    name: 'rejection with a new Error, ten functions deep',
    prepare: () => ({ run: failingInTurn(() => deep(8)) }),
  },
];

/** An error's stack trace costs by the functions above it, up to ten. */
function deep(frames: number): Promise<number> {
  return frames === 0 ? failing() : deep(frames - 1);
}
