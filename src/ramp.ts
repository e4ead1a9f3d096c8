/** How what was out, or is new, is given its share again: a little at once, the rest in even steps. */

/** What it gets at least, as a share of the whole: enough to be tried, and to warm up by. */
const LEAST_RAMP = 0.1;
/** Steps of a whole ramp. Each brings pickers up to date, so that what goes by shares and weights follows. */
const STEPS = 30;
/** What the rounding of clock readings may be short of the end of a ramp, as a share of it. */
const ROUNDING = 1e-9;

/**
 * The share, 0.1 to 1, of what began to ramp up `elapsedMs` ago: `max(0.1, elapsed / lasting)`.
 *
 * Source: Envoy, "Slow start mode" (aggression 1, min_weight_percent 10 %).
 */
export function rampAt(elapsedMs: number, lastsMs: number): number {
  if (elapsedMs >= lastsMs * (1 - ROUNDING)) return 1;
  return Math.max(LEAST_RAMP, elapsedMs / lastsMs);
}

/** The instant of the next step of a ramp, later than `nowMs`; `undefined` when it is over. */
export function nextStepMs(fromMs: number, lastsMs: number, nowMs: number): number | undefined {
  const stepMs = lastsMs / STEPS;
  const step = Math.floor((nowMs - fromMs) / stepMs) + 1;
  // At the very instant of a step the division may fall short of it; that step is not the next one.
  const next = fromMs + step * stepMs > nowMs ? step : step + 1;
  return next > STEPS ? undefined : fromMs + next * stepMs;
}
