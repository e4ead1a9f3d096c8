import type { DiscoveryAdapter, InstanceSpec, Snapshot } from '../types.js';
import { fromEmitter } from '../discovery.js';

export interface MemoryAdapter extends DiscoveryAdapter {
  /** Publishes this list; watchers that come later get it first. */
  set(instances: readonly InstanceSpec[]): void;
  /** Publishes any snapshot, well-formed or not. */
  emit(snapshot: Snapshot): void;
  /** Makes every running watch throw. Later watches work again. */
  fail(error: unknown): void;
  /** How often `watch` was called. */
  readonly watches: number;
  /** Watches running now. */
  readonly watching: number;
}

/** A discovery adapter that a test drives by hand. It yields nothing until told to. */
export function memoryAdapter(initial?: readonly InstanceSpec[]): MemoryAdapter {
  let latest: Snapshot | undefined =
    initial === undefined ? undefined : { kind: 'instances', instances: initial };
  let watches = 0;
  const sinks = new Set<{ emit(snapshot: Snapshot): void; fail(error: unknown): void }>();
  const source = fromEmitter('memory', (_service, sink) => {
    watches++;
    sinks.add(sink);
    if (latest !== undefined) sink.emit(latest);
    return () => sinks.delete(sink);
  });
  const emit = (snapshot: Snapshot): void => {
    latest = snapshot;
    for (const sink of sinks) sink.emit(snapshot);
  };
  return {
    name: source.name,
    watch: (service, context) => source.watch(service, context),
    set: (instances) => {
      emit({ kind: 'instances', instances });
    },
    emit,
    fail: (error) => {
      for (const sink of sinks) sink.fail(error);
    },
    get watches() {
      return watches;
    },
    get watching() {
      return sinks.size;
    },
  };
}
