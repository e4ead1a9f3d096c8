import { fairleadInterceptor } from 'fairlead/undici';
import {
  Agent,
  BalancedPool,
  Client,
  type Dispatcher,
  Pool,
  request,
  RetryAgent,
  RoundRobinPool,
} from 'undici';
import { startHaproxy } from '../../proxies/haproxy.js';
import { startNginx } from '../../proxies/nginx.js';
import type { Proxy } from '../../proxies/types.js';
import {
  clientOver,
  inTurn,
  originOf,
  type Proxied,
  type Send,
  type Subjects,
} from '../subject.js';
import { byHand } from './by-hand.js';
import { glue } from './glue.js';

const TIMEOUT_MS = 1_000;

/** What a proxy is an alternative to. */
export const besideProxies: Subjects = {
  'undici Pools': (ports) => {
    const next = inTurn(ports.map((port) => new Pool(originOf(port))));
    return () => answerOf(next());
  },
  'undici, fairleadInterceptor': async (ports) => {
    const dispatcher = new Agent().compose(fairleadInterceptor(await clientOver(ports)));
    return () => textOf(dispatcher.request({ origin: 'http://orders', path: '/', method: 'GET' }));
  },
  'undici through haproxy leastconn': async (ports) =>
    through(await startHaproxy({ ports, profile: 'plain' })),
  'undici through nginx least_conn': async (ports) =>
    through(await startNginx({ ports, profile: 'plain' })),
};

export const undici: Subjects = {
  ...besideProxies,
  'undici, an interceptor that does nothing': (ports) => {
    const dispatcher = new Agent().compose((dispatch) => dispatch);
    const next = inTurn(ports.map(originOf));
    return () => textOf(dispatcher.request({ origin: next(), path: '/', method: 'GET' }));
  },
  'undici, an interceptor by hand': (ports) => {
    const dispatcher = new Agent().compose(byHand(ports.map(originOf)));
    return () => textOf(dispatcher.request({ origin: 'http://orders', path: '/', method: 'GET' }));
  },
  'undici BalancedPool': (ports) => {
    const pool = new BalancedPool(ports.map(originOf));
    return () => answerOf(pool);
  },
  // It is for one origin, and takes turns among its connections: here each goes to the next backend.
  'undici RoundRobinPool': (ports) => {
    const next = inTurn(ports.map(originOf));
    const pool = new RoundRobinPool('http://orders', {
      factory: (_origin, options) => new Client(next(), options),
    });
    return () => answerOf(pool);
  },
  'undici RetryAgent over BalancedPool': (ports) => {
    const agent = new RetryAgent(new BalancedPool(ports.map(originOf)), { maxRetries: 2 });
    return () => answerOf(agent);
  },
  'undici Pools, AbortSignal.timeout': (ports) => {
    const next = inTurn(ports.map((port) => new Pool(originOf(port))));
    return () => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return textOf(next().request({ path: '/', method: 'GET', signal }));
    };
  },
  'undici Pools, opossum, p-retry': (ports) => {
    const pools = ports.map((port) => new Pool(originOf(port)));
    return glue(pools.map((pool) => () => answerOf(pool)));
  },
  'undici request(url), one Agent': (ports) => {
    const dispatcher = new Agent();
    const next = inTurn(ports.map((port) => `${originOf(port)}/`));
    return async () => {
      const { body } = await request(next(), { dispatcher });
      return body.text();
    };
  },
};

function through(proxy: Proxy): Proxied {
  const pool = new Pool(proxy.url);
  const send: Send = () => answerOf(pool);
  return { send, proxy };
}

/** Each writes its options out: what undici reads of an object that was spread costs it 6 us. */
function answerOf(dispatcher: Dispatcher): Promise<string> {
  return textOf(dispatcher.request({ path: '/', method: 'GET' }));
}

async function textOf(sent: Promise<Dispatcher.ResponseData>): Promise<string> {
  const { body } = await sent;
  return body.text();
}
