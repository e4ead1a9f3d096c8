/** `fairlead/server`: what a service says of itself, for clients that balance by it. */
export {
  type ConnectListener,
  createServerStatus,
  type DrainResult,
  type Handler,
  type Listener,
  type ServerSnapshot,
  type ServerState,
  type ServerStatus,
} from './server/server-status.js';
export type {
  DrainOptions,
  ServerStatusOptions,
  UtilizationFunction,
} from './server/status-options.js';
export type { Load } from './server/load-meter.js';
export type { FastifyLike, FastifyPlugin } from './server/fastify-plugin.js';
export type { AnyRequest, AnyResponse } from './server/messages.js';
export type { Clock, Timer } from './types.js';
