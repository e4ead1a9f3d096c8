import { createRequire } from 'node:module';
import * as grpcJs from '@grpc/grpc-js';
import axiosModule from 'axios';
import * as fairlead from 'fairlead';
import * as axios from 'fairlead/axios';
import * as consul from 'fairlead/consul';
import * as fetch from 'fairlead/fetch';
import * as grpc from 'fairlead/grpc';
import * as http from 'fairlead/http';
import * as server from 'fairlead/server';
import * as fixed from 'fairlead/static';
import * as testing from 'fairlead/testing';
import * as undici from 'fairlead/undici';
import * as undiciModule from 'undici';
import { makeCalls, recognises } from './calls.mjs';

const require = createRequire(import.meta.url);
const other = { fairlead: require('fairlead'), fixed: require('fairlead/static') };
const doors = { axios, consul, fetch, fixed, grpc, http, server, testing, undici };
const peers = { axios: axiosModule, grpc: grpcJs, undici: undiciModule };

console.log(
  JSON.stringify({
    ...(await makeCalls({ fairlead, doors, peers })),
    otherCopy: recognises({ fairlead }, other),
  }),
);
