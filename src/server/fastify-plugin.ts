import type { AnyRequest, AnyResponse } from './messages.js';

/** What of a Fastify server, version 4 or 5, is used. */
export interface FastifyLike {
  addHook(name: 'onRequest', hook: OnRequest): unknown;
}

type OnRequest = (
  request: { readonly raw: AnyRequest },
  reply: { readonly raw: AnyResponse; hijack(): unknown },
  done: () => void,
) => void;

export type FastifyPlugin = (server: FastifyLike, options: unknown, done: () => void) => void;

/**
 * A plugin for the whole server, not only for what is registered beside it.
 *
 * @param answered takes note of a request, and says whether it has answered it, too.
 */
export function fastifyPlugin(
  answered: (request: AnyRequest, response: AnyResponse) => boolean,
): FastifyPlugin {
  const plugin: FastifyPlugin = (server, _options, done) => {
    server.addHook('onRequest', (request, reply, next) => {
      if (answered(request.raw, reply.raw)) reply.hijack();
      else next();
    });
    done();
  };
  // What the package fastify-plugin marks a plugin with, such that it gets no scope of its own.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'fairlead',
  });
}
