import { connect } from 'node:net';
import { named, type Probe, quieten } from './probe.js';

/** Good when a connection is accepted; it is closed at once. @param port instead of the instance's own. */
export function tcpProbe(port: number | undefined): Probe {
  return (instance, signal) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: instance.host, port: port ?? instance.port, signal });
      quieten(socket);
      socket.once('connect', () => {
        socket.destroy();
        resolve(undefined);
      });
      socket.on('error', (error) => {
        reject(named(error));
      });
    });
}
