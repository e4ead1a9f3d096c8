import { Agent as HttpAgent } from 'node:http';
import axios from 'axios';
import axiosRetry from 'axios-retry';
import { ATTEMPT_TIMEOUT_MS, CALL_TIMEOUT_MS, check, origins, type Subject } from './subject.js';

export const AXIOS_RETRY: Readonly<Record<string, Subject>> = {
  'axios + axios-retry, round robin': {
    setup:
      'each attempt at the next backend, timeout 1 s; one retry after 25 ms, of 5xx and timeouts too',
    open: (target) => {
      const urls = origins(target);
      const http = axios.create({
        httpAgent: new HttpAgent({ keepAlive: true }),
        timeout: ATTEMPT_TIMEOUT_MS,
      });
      let turn = 0;
      http.interceptors.request.use((config) => {
        const i = turn++ % urls.length;
        target.onAttempt(target.ports[i] ?? 0, Date.now());
        config.baseURL = urls[i] ?? '';
        return config;
      });
      axiosRetry(http, {
        retries: 1,
        retryDelay: () => 25,
        shouldResetTimeout: true,
        retryCondition: (error) =>
          error.code === 'ECONNABORTED' || axiosRetry.isNetworkOrIdempotentRequestError(error),
      });
      return async (dueMs) => {
        const { status } = await http.get('/', {
          headers: { 'x-due': String(dueMs) },
          signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
        });
        check(status);
      };
    },
  },
};
