import { defineConfig, type Options } from 'tsup';

const shared: Options = {
  // One entry per subpath of package.json's `exports`; test/package holds the two together.
  entry: {
    index: 'src/index.ts',
    testing: 'src/testing.ts',
    axios: 'src/clients/axios.ts',
    fetch: 'src/clients/fetch.ts',
    undici: 'src/clients/undici.ts',
    http: 'src/clients/http.ts',
    grpc: 'src/clients/grpc.ts',
    server: 'src/server.ts',
    static: 'adapters/static.ts',
    consul: 'adapters/consul.ts',
  },
  target: 'node20.18',
  platform: 'node',
  dts: true,
  sourcemap: true,
  // One copy of each class per format, whichever subpaths are loaded.
  splitting: true,
  removeNodeProtocol: false,
};

export default defineConfig([
  { ...shared, format: 'esm' },
  {
    ...shared,
    format: 'cjs',
    // ESM only, so the CommonJS build carries it; its licence is in THIRD-PARTY-LICENSES.md.
    noExternal: ['p-retry'],
    // Lets Rollup write the CommonJS chunks. tsup's own way with `splitting` replaces every `?.` and `??`
    // by a helper call, which the hot path would feel.
    treeshake: true,
  },
]);
