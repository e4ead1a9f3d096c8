/** Path of the first executable file of that name on PATH, or in `more` folders after it. */
export function executableOnPath(name: string, more?: readonly string[]): Promise<string>;

/** Why a program could not be found, for people. */
export function reason(error: unknown): string;

/** A message from what is missing, what was tried, and what helps. */
export function explain(missing: string, tried: readonly string[], help: string): string;
