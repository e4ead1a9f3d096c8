import { channel, type Channel } from 'node:diagnostics_channel';
import { InvalidOptionError } from './errors.js';
import { checkFunction } from './validate.js';

/**
 * Hands events to listeners and to `node:diagnostics_channel` (a prefix, `fairlead:` say, and the event's name). On a hot
 * path ask {@link Emitter.hears} first, so that an event is built only for somebody.
 */
export class Emitter<EventMap extends object> {
  readonly #listeners = new Map<string, Set<{ readonly tell: (event: unknown) => void }>>();
  readonly #channels = new Map<string, Channel>();

  constructor(
    private readonly names: readonly (keyof EventMap & string)[],
    private readonly prefix: string,
  ) {}

  /** @returns the function that takes the listener away again. */
  on<Name extends keyof EventMap & string>(
    name: Name,
    listener: (event: EventMap[Name]) => void,
  ): () => void {
    if (!this.names.includes(name)) {
      throw new InvalidOptionError('name', `one of ${this.names.join(', ')}`, name);
    }
    checkFunction('listener', listener);
    const entry = { tell: listener as (event: unknown) => void };
    const entries = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, entries.add(entry));
    return () => entries.delete(entry);
  }

  hears(name: keyof EventMap & string): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0 || this.#channel(name).hasSubscribers;
  }

  emit<Name extends keyof EventMap & string>(name: Name, event: EventMap[Name]): void {
    this.#channel(name).publish(event);
    for (const { tell } of [...(this.#listeners.get(name) ?? [])]) {
      try {
        tell(event);
      } catch (error) {
        surface(error);
      }
    }
  }

  removeAll(): void {
    this.#listeners.clear();
  }

  #channel(name: string): Channel {
    let found = this.#channels.get(name);
    if (found === undefined) {
      found = channel(`${this.prefix}${name}`);
      this.#channels.set(name, found);
    }
    return found;
  }
}

/** What a listener throws is the application's fault, not the call's: it becomes uncaught, outside the call. */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
