import { type AnyRequest, type AnyResponse, isHttp2 } from './messages.js';

/** Calls `fn` once, when the response has been handed to the system in full, or its connection has ended. */
export function onEnded(request: AnyRequest, response: AnyResponse, fn: () => void): void {
  // Pipelined behind another one: it gets the socket later, and, should that close before, never hears of it.
  const socket = response.socket === null ? request.socket : undefined;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    socket?.off('close', end);
    fn();
  };
  response.once('close', end);
  socket?.once('close', end);
}

/** Who asked has left before, or has been answered: nothing more will be heard of it. */
export function hasEnded(request: AnyRequest, response: AnyResponse): boolean {
  if (isHttp2(response)) return response.stream.destroyed;
  return response.destroyed || (response.socket === null && request.socket.destroyed);
}
