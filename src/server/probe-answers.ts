import type { AnyRequest, AnyResponse } from './messages.js';

/** Answers a probe; any HTTP status, and an object that is sent as JSON. */
export function answerProbe(
  request: AnyRequest,
  response: AnyResponse,
  status: number,
  content: object,
): void {
  const body = `${JSON.stringify(content)}\n`;
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(body));
  response.setHeader('cache-control', 'no-store');
  if (request.method === 'HEAD') response.end();
  else response.end(body);
}

/** Whether `url` is `path`, whatever its query. */
export function isPath(url: string, path: string | undefined): boolean {
  if (path === undefined || !url.startsWith(path)) return false;
  return url.length === path.length || url[path.length] === '?';
}
