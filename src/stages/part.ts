import type { Candidate, Part } from '../types.js';

/** The whole of the calls, over all these. */
export function whole(candidates: readonly Candidate[]): Part {
  return { name: '', ratio: 1, eligible: candidates, candidates };
}

/** The slice of a part that some of its candidates are, for `ratio` of all calls. */
export function slice(
  part: Part,
  name: string,
  ratio: number,
  belongs: (candidate: Candidate) => boolean,
): Part {
  return {
    ...part,
    name: part.name === '' ? name : `${part.name}, ${name}`,
    ratio,
    eligible: part.eligible.filter(belongs),
    candidates: part.candidates.filter(belongs),
  };
}
