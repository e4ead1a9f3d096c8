import { figure } from '../pick/markdown.js';
import type { Bar } from '../../scripts/pictures/bar-chart.js';

/** One chart, and the file it goes to. */
export interface Drawing {
  readonly file: string;
  /** What it shows, in words. */
  readonly alt: string;
  readonly svg: string;
}

export const OURS = '#1668b8';
export const OTHERS = '#8a8a8a';
/** The least that is possible, or what is compared with. */
export const BARE = '#c77c11';

export function barOf(
  name: string,
  value: number,
  unit: string,
  bare: (name: string) => boolean = () => false,
): Bar {
  const isOurs = /fairlead/i.test(name) || /wrap(Axios|Fetch)/.test(name);
  const colour = isOurs ? OURS : bare(name) ? BARE : OTHERS;
  return { name, value, label: `${figure(value)}${unit}`, colour };
}

/** A number of an axis, short: 10k. */
export function short(value: number): string {
  return value < 1_000 ? String(value) : `${value / 1_000}k`;
}

/** A time of an axis, from ns. */
export function time(ns: number): string {
  if (ns < 1_000) return `${ns} ns`;
  return ns < 1_000_000 ? `${ns / 1_000} us` : `${ns / 1_000_000} ms`;
}
