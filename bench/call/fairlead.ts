import {
  type CallFunction,
  type CallOptions,
  type Client,
  type ClientOptions,
  createClient,
} from 'fairlead';
import { staticList } from 'fairlead/static';
import {
  atOnce,
  type CallSubject,
  failing,
  failingInTurn,
  inTurn,
  INSTANCES,
  noop,
  type Prepared,
  reading,
  refused,
  servers,
} from './subject.js';

type Options = Partial<ClientOptions>;

/** Breakers that never open, where every second attempt fails or all do: it is calls that are to be measured. */
const CLOSED = {
  breaker: {
    errorThresholdRatio: 1,
    minAttempts: 1_000_000_000,
    consecutiveFailures: 1_000_000_000,
  },
  outlierDetection: false,
  // Enough that no retry is refused.
  retry: { budget: { minPerSecond: 1_000_000_000 } },
} as const satisfies Options;

const IDEMPOTENT = { idempotent: true } as const;

/** A client with all its defaults unless said otherwise: deadline, attempt timeout, breakers, retries, budget. */
export const fairlead: readonly CallSubject[] = [
  calling('call', {}),
  calling('call, attempt.ended heard', {}, noop, (client) => {
    client.on('attempt.ended', () => undefined);
  }),
  calling('call, hedge on', { hedge: true }),
  calling('call, inheritDeadline', { inheritDeadline: true }),
  calling('call, the signal read', {}, ({ signal }) => reading(signal)),
  {
    library: 'fairlead',
    name: 'call, a retry',
    async prepare() {
      const client = await clientOf(CLOSED);
      const send: CallFunction<number> = ({ attempt }) => (attempt === 1 ? refused() : noop());
      return { run: atOnce(() => client.call(send, IDEMPOTENT)), close: () => client.close() };
    },
  },
  failingCall('call that fails', CLOSED),
  failingCall('call that fails, all instances out', {}),
];

function calling(
  name: string,
  options: Options,
  send: CallFunction<number> = noop,
  with_: (client: Client) => void = () => undefined,
): CallSubject {
  return {
    library: 'fairlead',
    name,
    async prepare() {
      const client = await clientOf(options);
      with_(client);
      return running(client, send);
    },
  };
}

function running(client: Client, send: CallFunction<number>): Prepared {
  return { run: inTurn(() => client.call(send, IDEMPOTENT)), close: () => client.close() };
}

/** After `n` calls that were good, within the windows. Not idempotent, so it is not retried. */
function failingCall(name: string, options: Options): CallSubject {
  const once: CallOptions<number> = {};
  return {
    library: 'fairlead',
    name,
    async prepare(n) {
      const client = await clientOf(options);
      await inTurn(() => client.call(noop, once))(n);
      return { run: failingInTurn(() => client.call(failing, once)), close: () => client.close() };
    },
  };
}

async function clientOf(options: Options): Promise<Client> {
  const client = createClient({
    service: 'bench',
    discovery: staticList(servers(INSTANCES)),
    ...options,
  });
  await client.ready();
  return client;
}
