/**
 * `condition ? yes : no` of two indices, without a branch. For what chance decides: a processor guesses such a branch
 * wrong half the time, and has then to throw away what it had begun, the next pick included. With it, a pick takes
 * twice as long.
 */
export function either(condition: number, yes: number, no: number): number {
  return no ^ ((yes ^ no) & -condition);
}

/** 1 when `cost` is the lesser, else 0; what is no number (NaN) is the greatest. For {@link either}. */
export function isLess(cost: number, than: number): number {
  return Number(cost < than) | Number(Number.isNaN(than));
}
