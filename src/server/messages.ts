/** The requests and responses of Node's servers: http, https, and the compatible form of http2. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

export type AnyRequest = IncomingMessage | Http2ServerRequest;
export type AnyResponse = ServerResponse | Http2ServerResponse;

export function isHttp2(response: AnyResponse): response is Http2ServerResponse {
  return response.req.httpVersionMajor >= 2;
}
