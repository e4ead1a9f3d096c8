import type { Client } from 'undici';

/**
 * Whether this undici takes handlers of the older style, as 7 does and 8 does not; Node's own fetch may bring either.
 * Found out by a request that is refused at once, in the style of handlers that is taken: no connection is made.
 */
export function takesOlderHandlers(Connection: typeof Client): boolean {
  let isTaken = false;
  const handler = {
    onError: () => {
      isTaken = true;
    },
  };
  try {
    new Connection('http://127.0.0.1').dispatch({ path: 'refused', method: 'GET' }, handler);
  } catch {
    // it knows no such handler
  }
  return isTaken;
}
