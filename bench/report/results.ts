import { readFile } from 'node:fs/promises';
import type { Goal } from '../call/goals.js';

/** What one benchmark has left in bench/results/. */
export interface Result {
  readonly name: string;
  /** Of its JSON; what it holds beside these is its own. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly markdown: string;
}

/** `undefined` when it was never run in full. */
export async function readResult(folder: URL, name: string): Promise<Result | undefined> {
  try {
    const [json, markdown] = await Promise.all(
      ['json', 'md'].map((ending) => readFile(new URL(`${name}.${ending}`, folder), 'utf8')),
    );
    return {
      name,
      data: JSON.parse(json ?? '') as Result['data'],
      markdown: markdown ?? '',
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** None in results of before there were goals. */
export function goalsIn({ data }: Result): readonly Goal[] {
  const goals = data['goals'];
  return Array.isArray(goals) ? (goals as readonly Goal[]) : [];
}

/** Where and with what it was measured, as far as it says. */
export function machineOf({ data }: Result): {
  readonly cpu?: string;
  readonly cores?: number;
  readonly node?: string;
  readonly versions?: Readonly<Record<string, string>>;
} {
  return data['machine'] ?? {};
}
