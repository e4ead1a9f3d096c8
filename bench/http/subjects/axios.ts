import { Agent as HttpAgent } from 'node:http';
import axiosLibrary, { type AxiosInstance } from 'axios';
import axiosRetry from 'axios-retry';
import { wrapAxios } from 'fairlead/axios';
import { axiosByHand } from './by-hand.js';
import { clientOver, inTurn, originOf, type Subjects } from '../subject.js';

export const axios: Subjects = {
  axios: (ports) => {
    const http = keepingConnections();
    const next = inTurn(ports.map((port) => `${originOf(port)}/`));
    return async () => (await http.get<unknown>(next())).data;
  },
  'axios, wrapAxios': async (ports) => {
    const http = wrapAxios(keepingConnections(), await clientOver(ports));
    return async () => (await http.get<unknown>('http://orders/')).data;
  },
  'axios, interceptors by hand': (ports) => {
    const http = axiosByHand(keepingConnections(), ports.map(originOf));
    return async () => (await http.get<unknown>('/')).data;
  },
  'axios, axios-retry, in turn': (ports) => {
    const http = keepingConnections();
    const next = inTurn(ports.map(originOf));
    http.interceptors.request.use((config) => {
      config.baseURL = next(); // a retry is another backend's
      return config;
    });
    axiosRetry(http, { retries: 2 });
    return async () => (await http.get<unknown>('/')).data;
  },
};

function keepingConnections(): AxiosInstance {
  return axiosLibrary.create({ httpAgent: new HttpAgent({ keepAlive: true }) });
}
