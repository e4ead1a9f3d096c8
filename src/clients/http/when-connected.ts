import type { Socket } from 'node:net';
import type { Clock } from '../../types.js';

/** How a connection came to be, or did not. `'closed'`: by this side, without an error. */
export type Connected = 'connected' | 'closed' | Error;

/** True until nothing but the request itself is to be sent. */
export function isConnecting(socket: Socket): boolean {
  return socket.connecting || isInHandshake(socket);
}

function isOverTls(socket: Socket): boolean {
  return (socket as { readonly encrypted?: boolean }).encrypted === true;
}

function isInHandshake(socket: Socket): boolean {
  return (socket as { readonly secureConnecting?: boolean }).secureConnecting === true;
}

/** Where a socket is to be connected to, and for how long that may take. */
export interface Connecting {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'setTimer'>;
}

/**
 * Calls `done` once, when the socket is connected (and its TLS handshake is over), or will not be; in time, for it is
 * given up after `timeoutMs` or the socket's own time limit.
 *
 * @returns the function that gives up waiting; the socket stays as it is.
 */
export function whenConnected(
  socket: Socket,
  { host, port, timeoutMs, clock }: Connecting,
  done: (end: Connected) => void,
): () => void {
  const ready = isOverTls(socket) ? 'secureConnect' : 'connect';
  const onReady = (): void => {
    settle('connected');
  };
  const onError = (error: Error): void => {
    settle(error);
  };
  const onClose = (): void => {
    settle('closed');
  };
  const onTimeout = (): void => {
    settle(timedOut(host, port));
    socket.destroy();
  };
  const timer = clock.setTimer(timeoutMs, onTimeout);
  const stop = (): void => {
    timer.cancel();
    socket.off(ready, onReady).off('error', onError).off('close', onClose);
    socket.off('timeout', onTimeout);
  };
  const settle = (end: Connected): void => {
    stop();
    done(end);
  };
  socket.on(ready, onReady).on('error', onError).on('close', onClose).on('timeout', onTimeout);
  return stop;
}

/** As Node says it when the system gives up. */
function timedOut(address: string, port: number): Error {
  const error = new Error(`connect ETIMEDOUT ${address}:${String(port)}`);
  return Object.assign(error, { code: 'ETIMEDOUT', syscall: 'connect', address, port });
}
