import axios, { type AxiosInstance, type AxiosRequestConfig, type AxiosStatic } from 'axios';
import { expect, expectTypeOf, it } from 'vitest';
import { type AxiosFairleadOptions, wrapAxios } from '../../src/clients/axios.js';
import { rig } from '../support/fixtures.js';

/** As of an application that has put something on its instance. */
interface OwnInstance extends AxiosInstance {
  readonly tenant: string;
}

it('gives back the type it was given, and the instance', async () => {
  const { client } = await rig(['a']);
  const own: OwnInstance = Object.assign(axios.create(), { tenant: 'a' });
  const wrapped = wrapAxios(own, client);
  expect(wrapped).toBe(own);
  expectTypeOf(wrapped).toEqualTypeOf<OwnInstance>();
  expectTypeOf(wrapAxios<AxiosInstance>).returns.toEqualTypeOf<AxiosInstance>();
  expectTypeOf(wrapAxios<AxiosStatic>).returns.toEqualTypeOf<AxiosStatic>();
  await client.close();
});

it('has requests take options for Fairlead', () => {
  expectTypeOf<AxiosRequestConfig['fairlead']>().toEqualTypeOf<AxiosFairleadOptions | undefined>();
  expectTypeOf<{
    fairlead: { body: () => string; idempotent: true };
  }>().toExtend<AxiosRequestConfig>();
  expectTypeOf<{ fairlead: { body: string } }>().not.toExtend<AxiosRequestConfig>();
});
