/** Half-width of the band a binomial share stays in, at 4.5 sigma: off in 7 of a million runs. */
export function shareTolerance(share: number, draws: number, sigmas = 4.5): number {
  return sigmas * Math.sqrt((share * (1 - share)) / draws);
}
