import { EventEmitter } from 'node:events';
import CircuitBreaker from 'opossum';
import { fails, type Subject } from './subject.js';

/** One that all fenced ones turn with: each would set a timer of its own else. */
const rotation = new EventEmitter().setMaxListeners(0);
const ROTATE_EVERY_MS = 1_000;

/** Alone, with nothing that finds or picks an instance. */
export const opossum: readonly Subject[] = [
  {
    name: 'opossum, defaults',
    prepare: (input) => breakers(input.map(() => new CircuitBreaker(answer))),
  },
  {
    name: 'opossum, fenced',
    prepare(input) {
      setInterval(() => rotation.emit('rotate'), ROTATE_EVERY_MS).unref();
      return breakers(input.map(() => new CircuitBreaker(answer, FENCED)));
    },
  },
];

/** No timeout, percentiles or snapshots, as Fairlead uses it. */
const FENCED = {
  timeout: false,
  enableSnapshots: false,
  rollingPercentilesEnabled: false,
  volumeThreshold: 10,
  rotateBucketController: rotation,
} as const;

function breakers(
  all: readonly CircuitBreaker<[boolean], number>[],
): ReturnType<Subject['prepare']> {
  return {
    async callEach() {
      for (const breaker of all) await breaker.fire(false);
    },
    async traffic(times) {
      for (let i = 0; i < times; i++) {
        await all[i % all.length]?.fire(fails(i)).catch(() => undefined);
      }
    },
    close() {
      for (const breaker of all) breaker.shutdown();
    },
  };
}

function answer(fails: boolean): Promise<number> {
  return fails ? Promise.reject(FAILED) : Promise.resolve(1);
}
const FAILED = new Error('failed');
