export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export function quartiles(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * sorted.length)] ?? NaN;
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/** Of one thing over another in the same round: what was slow for one was slow for the other. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  return above.flatMap((value, i) => {
    const other = below[i];
    return other === undefined ? [] : [value / other];
  });
}
