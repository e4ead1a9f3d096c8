import { createRequire } from 'node:module';
import axios from 'axios';
import * as fairlead from 'fairlead';
import { wrapAxios } from 'fairlead/axios';
import * as consul from 'fairlead/consul';
import { wrapFetch } from 'fairlead/fetch';
import * as fixed from 'fairlead/static';
import * as testing from 'fairlead/testing';
import { makeCalls, recognises } from './calls.mjs';

const require = createRequire(import.meta.url);
const other = { fairlead: require('fairlead'), fixed: require('fairlead/static') };

console.log(
  JSON.stringify({
    ...(await makeCalls({ fairlead, fixed, consul, testing, wrapFetch, wrapAxios, axios })),
    otherCopy: recognises({ fairlead }, other),
  }),
);
