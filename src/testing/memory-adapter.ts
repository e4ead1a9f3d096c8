import type {
  DiscoveryAdapter,
  DiscoveryFault,
  InstanceSpec,
  Snapshot,
  SourceStanding,
  WatchContext,
} from '../types.js';
import { fromEmitter } from '../discovery.js';

export interface MemoryAdapter extends DiscoveryAdapter {
  /** Publishes this list; watchers that come later get it first. */
  set(instances: readonly InstanceSpec[]): void;
  /** Publishes any snapshot, well-formed or not. */
  emit(snapshot: Snapshot): void;
  /** Makes every running watch throw. Later watches work again. */
  fail(error: unknown): void;
  /** Makes every running watch report a fault and go on. */
  report(fault: DiscoveryFault): void;
  /** Makes every running watch confirm what it said last. */
  confirm(standing?: SourceStanding): void;
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
  let contexts: readonly WatchContext[] = [];
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
    watch: (service, context) => {
      contexts = [...contexts.filter(({ signal }) => !signal.aborted), context];
      return source.watch(service, context);
    },
    set: (instances) => {
      emit({ kind: 'instances', instances });
    },
    emit,
    fail: (error) => {
      for (const sink of sinks) sink.fail(error);
    },
    report: (fault) => {
      for (const context of contexts) context.report(fault);
    },
    confirm: (standing) => {
      for (const context of contexts) context.confirm(standing);
    },
    get watches() {
      return watches;
    },
    get watching() {
      return sinks.size;
    },
  };
}
