import { wrapFetch } from 'fairlead/fetch';
import { fetchByHand } from './by-hand.js';
import { clientOver, inTurn, originOf, type Subjects } from '../subject.js';

export const fetches: Subjects = {
  fetch: (ports) => {
    const next = inTurn(ports.map((port) => `${originOf(port)}/`));
    return async () => (await fetch(next())).text();
  },
  'fetch, wrapFetch': async (ports) => {
    const wrapped = wrapFetch(await clientOver(ports));
    return async () => (await wrapped('http://orders/')).text();
  },
  'fetch, by hand': (ports) => {
    const chosen = fetchByHand(ports.map(originOf));
    return async () => (await chosen('/')).text();
  },
};
