/** `fairlead/testing`: what a test of an adapter, a policy or a client needs. */
export {
  type HttpFaults,
  type HttpFaultScope,
  httpProxy,
  type HttpProxy,
  type HttpProxyOptions,
  type HttpReply,
  type HttpRequestHead,
  type ProxiedRequest,
  type RewrittenReply,
} from './testing/http-proxy.js';
export { ManualClock, settle } from './testing/manual-clock.js';
export { memoryAdapter, type MemoryAdapter } from './testing/memory-adapter.js';
export {
  type PolicyCase,
  type PolicyCaseId,
  policySuite,
  type PolicySuiteOptions,
} from './testing/policy-suite.js';
export { seededRng } from './testing/seeded-rng.js';
export {
  type CutOptions,
  type TcpFaults,
  tcpProxy,
  type TcpProxy,
  type TcpProxyOptions,
} from './testing/tcp-proxy.js';
