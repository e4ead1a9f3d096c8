export { shareTolerance } from '../../src/testing/statistics.js';

/** Pearson's statistic of these counts against the expected shares (which sum to 1). */
export function chiSquare(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * (shares[i] ?? 0);
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}

/**
 * What the statistic stays under in all but 3.4 of a million runs: the quantile of the chi-square distribution at
 * 4.5 sigma, by Wilson and Hilferty's cube-root approximation.
 */
export function chiSquareLimit(degrees: number, sigmas = 4.5): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + sigmas * Math.sqrt(spread)) ** 3;
}
