import axios, {
  AxiosError,
  AxiosHeaders,
  HttpStatusCode,
  type InternalAxiosRequestConfig,
} from 'axios';
import { expect, it } from 'vitest';
import { wrapAxios } from '../../src/clients/axios.js';
import { attemptsOf } from '../../src/index.js';
import { rig } from '../support/fixtures.js';
import { deferred, watched } from '../support/promises.js';

/** What axios's adapter rejects with after a reply of this status. */
function rejected(config: InternalAxiosRequestConfig, status: number): AxiosError {
  const response = { data: '', status, statusText: '', headers: new AxiosHeaders(), config };
  return new AxiosError('failed', AxiosError.ERR_BAD_RESPONSE, config, {}, response);
}

it('does not take the redirect of another attempt under way for its own', async () => {
  const { client, clock } = await rig(['a', 'b', 'c'], {
    policy: 'round-robin',
    breaker: false,
    retry: { maxAttempts: 3 },
    attemptTimeoutMs: 100,
  });
  let sent = 0;
  let redirectFirst = (): void => undefined;
  const answers = deferred<(status: number) => void>();
  // Deaf to its signal, as an adapter of the application's own may be: the first goes on when it has been cut.
  const adapter = (config: InternalAxiosRequestConfig): Promise<never> => {
    sent++;
    if (sent === 1) {
      redirectFirst = () => {
        redirect(config, 'elsewhere');
      };
    }
    return new Promise((_resolve, reject) => {
      if (sent === 2) answers.resolve((status) => reject(rejected(config, status)));
    });
  };
  const http = wrapAxios(axios.create({ baseURL: 'http://orders', adapter }), client);
  const call = watched(http.get('/'));
  await clock.advance(150);
  redirectFirst();
  const answerSecond = await answers.promise;
  answerSecond(503);
  await clock.advance(400);
  expect(call.error).toMatchObject({ isAxiosError: true });
  expect(attemptsOf(call.error).map(({ outcome }) => outcome)).toEqual([
    'failure',
    'failure',
    'failure',
  ]);
  await client.close();
});

it.each<[string, string, AxiosError | 503]>([
  ['blames nobody for what another host answers', 'elsewhere', 503],
  ['never repeats a POST whose redirect to the service is refused', 'orders', refused()],
])('%s', async (_what, hostname, answer) => {
  const { client } = await rig(['a', 'b'], { policy: 'round-robin' });
  let sent = 0;
  const adapter = (config: InternalAxiosRequestConfig): Promise<never> => {
    sent++;
    redirect(config, hostname);
    return Promise.reject(answer === 503 ? rejected(config, 503) : answer);
  };
  const http = wrapAxios(axios.create({ baseURL: 'http://orders', adapter }), client);
  const method = answer === 503 ? 'get' : 'post';
  const error: unknown = await http.request({ url: '/', method }).catch((e: unknown) => e);
  expect(sent).toBe(1);
  expect(attemptsOf(error)).toMatchObject([
    { attempt: 1, outcome: hostname === 'elsewhere' ? 'ignored' : 'failure' },
  ]);
  await client.close();
});

/** Has the request redirected to `hostname`, as follow-redirects does. */
function redirect(config: InternalAxiosRequestConfig, hostname: string): void {
  const answer = { headers: {}, statusCode: HttpStatusCode.SeeOther };
  const asked = { headers: {}, method: 'GET', url: '/' };
  config.beforeRedirect?.({ hostname, port: 80 }, answer, asked);
}

function refused(): AxiosError {
  return new AxiosError('connect ECONNREFUSED', 'ECONNREFUSED');
}
