/** How an attempt is judged whose request was redirected: below the wrapper, that is not to be seen. */
import { classify } from '../resilience/classify.js';
import type { Classify } from '../types.js';
import { isObject } from '../validate.js';

/** What the instance answered before the attempt ended: it followed a redirect, perhaps to another host. */
export interface Redirect {
  followed: boolean;
  left: boolean;
}

/** By what the attempt settled with: two attempts of one call may be under way at once. */
const redirects = new WeakMap<object, Redirect>();

/** What an attempt settles with, to be judged as what came of `redirect`. */
export function noteRedirect(redirect: Redirect, settledWith: unknown): void {
  if (redirect.followed && isObject(settledWith)) redirects.set(settledWith, redirect);
}

/** Judges as `own` does; what that leaves, by what is known of redirects: who redirected a request has received it. */
export function heedingRedirects(own: Classify | undefined): Classify {
  return own === undefined
    ? ofRedirected
    : (settled, instance) => own(settled, instance) ?? ofRedirected(settled, instance);
}

const ofRedirected: Classify = (settled, instance) => {
  const key = settled.ok ? settled.value : settled.error;
  const redirect = isObject(key) ? redirects.get(key) : undefined;
  if (redirect?.followed !== true) return undefined;
  const verdict = classify(settled, instance);
  if (verdict.outcome === 'success') return verdict;
  if (redirect.left) return { outcome: 'ignored', retry: 'never' };
  return verdict.retry === 'always' ? { ...verdict, retry: 'if-idempotent' } : verdict;
};
