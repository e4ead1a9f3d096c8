const axios = require('axios');
const fairlead = require('fairlead');
const { wrapAxios } = require('fairlead/axios');
const consul = require('fairlead/consul');
const { wrapFetch } = require('fairlead/fetch');
const fixed = require('fairlead/static');
const testing = require('fairlead/testing');

async function main() {
  const { makeCalls, recognises } = await import('./calls.mjs');
  const other = { fairlead: await import('fairlead'), fixed: await import('fairlead/static') };
  console.log(
    JSON.stringify({
      ...(await makeCalls({ fairlead, fixed, consul, testing, wrapFetch, wrapAxios, axios })),
      otherCopy: recognises({ fairlead }, other),
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
