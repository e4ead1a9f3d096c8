/** The machine's monotonic clock, in ms: the same one in every process, so what two of them note can be compared. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
