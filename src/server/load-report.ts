import type { Clock } from '../types.js';
import { eventLoopTimes } from './event-loop.js';
import { type Load, LoadMeter } from './load-meter.js';
import type { ServerStatusSettings, UtilizationFunction } from './status-options.js';

/** A report is made anew so many times per window at most: a response costs a comparison, not a report. */
const REPORTS_PER_WINDOW = 100;

type Settings = Pick<ServerStatusSettings, 'clock' | 'windowMs' | 'maxConcurrency' | 'utilization'>;

/** A load with the part of the capacity in use; `undefined` when the application's own measure gave none. */
export interface MeasuredLoad extends Load {
  readonly utilization: number | undefined;
}

/** What a server says of its load, in the text form of ORCA's HTTP header. */
export class LoadReporter {
  readonly meter: LoadMeter;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #refreshMs: number;
  #header: string | undefined;
  #staleAtMs = -Infinity;

  constructor(settings: Settings, loopTimes = eventLoopTimes) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#refreshMs = settings.windowMs / REPORTS_PER_WINDOW;
    this.meter = new LoadMeter(settings.windowMs, this.#clock.now(), loopTimes);
  }

  /** Value of the header; `undefined` while there is nothing to say. */
  header(): string | undefined {
    const nowMs = this.#clock.now();
    if (nowMs < this.#staleAtMs) return this.#header;
    this.#staleAtMs = nowMs + this.#refreshMs;
    const load = this.load();
    this.#header = load === undefined ? undefined : headerOf(load);
    return this.#header;
  }

  load(): MeasuredLoad | undefined {
    const load = this.meter.load(this.#clock.now());
    return load === undefined ? undefined : { ...load, utilization: this.#utilizationOf(load) };
  }

  /**
   * Of several resources the fullest one limits what can be served: at full load that is `qps / utilization`, as clients
   * reckon. The mean of the requests in flight, not their number now: by Little's law that quotient is then the places
   * over the mean latency.
   *
   * Source: the utilization law (Denning, Buzen, "The Operational Analysis of Queueing Network Models", 1978).
   */
  #utilizationOf(load: Load): number | undefined {
    const { maxConcurrency, utilization } = this.#settings;
    if (utilization !== undefined) return asked(utilization, load);
    const { eventLoop, inFlight } = load;
    return maxConcurrency === undefined
      ? eventLoop
      : Math.max(eventLoop, inFlight / maxConcurrency);
  }
}

/** An error in what measures must not cost a response. */
function asked(utilization: UtilizationFunction, load: Load): number | undefined {
  let told: unknown;
  try {
    const value: unknown = utilization(load);
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    told = typeof value === 'number' ? value : typeof value;
  } catch (error) {
    told = error;
  }
  warnOnce(told);
  return undefined;
}

let warned = false;

function warnOnce(told: unknown): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    `The option "utilization" of createServerStatus must give a finite number >= 0, else no load is reported; it gave ${String(told)}.`,
    { code: 'FAIRLEAD_BAD_UTILIZATION' },
  );
}

/**
 * `application_utilization`, for it is not CPU time; clients prefer it to `cpu_utilization`.
 *
 * Source: ORCA's message xds.data.orca.v3.OrcaLoadReport, gRFC A58, and Envoy's source/common/orca/orca_parser.cc.
 */
function headerOf(load: MeasuredLoad): string | undefined {
  const { utilization, requestsPerSecond, errorsPerSecond } = load;
  if (utilization === undefined) return undefined;
  const [used, rps, eps] = [utilization, requestsPerSecond, errorsPerSecond].map(short);
  return `TEXT application_utilization=${used ?? ''}, rps_fractional=${rps ?? ''}, eps=${eps ?? ''}`;
}

/** Four digits that count: a small figure must not become 0, which says that there is none. */
function short(figure: number): string {
  return String(Number(figure.toPrecision(4)));
}
