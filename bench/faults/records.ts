import { readFile, writeFile } from 'node:fs/promises';
import type { Figures } from './figures.js';
import type { Job } from './plan.js';

export interface RunRecord extends Figures {
  readonly round: number;
}

/** What runs came to, kept in a file where one is named, so that a long plan can be carried out in parts. */
export class Records {
  private constructor(
    private readonly file: string | undefined,
    readonly all: RunRecord[],
  ) {}

  static async open(file: string | undefined): Promise<Records> {
    if (file === undefined) return new Records(undefined, []);
    try {
      return new Records(file, JSON.parse(await readFile(file, 'utf8')) as RunRecord[]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Records(file, []);
      throw error;
    }
  }

  /** Those of a plan that are yet to be done. */
  missing(plan: readonly Job[]): Job[] {
    return plan.filter((job) => !this.all.some((record) => isOf(record, job)));
  }

  /** Those of a plan that are done, in its order. */
  of(plan: readonly Job[]): RunRecord[] {
    return plan.flatMap((job) => this.all.find((record) => isOf(record, job)) ?? []);
  }

  async add(record: RunRecord): Promise<void> {
    this.all.push(record);
    if (this.file !== undefined) await writeFile(this.file, JSON.stringify(this.all));
  }
}

function isOf(record: RunRecord, { subject, scene, round }: Job): boolean {
  return record.subject === subject && record.scene === scene && record.round === round;
}
