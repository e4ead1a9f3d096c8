const fairlead = require('fairlead');

const doors = {
  axios: require('fairlead/axios'),
  consul: require('fairlead/consul'),
  fetch: require('fairlead/fetch'),
  fixed: require('fairlead/static'),
  grpc: require('fairlead/grpc'),
  http: require('fairlead/http'),
  server: require('fairlead/server'),
  testing: require('fairlead/testing'),
  undici: require('fairlead/undici'),
};
const peers = {
  axios: require('axios'),
  grpc: require('@grpc/grpc-js'),
  undici: require('undici'),
};

async function main() {
  const { makeCalls, recognises } = await import('./calls.mjs');
  const other = { fairlead: await import('fairlead'), fixed: await import('fairlead/static') };
  console.log(
    JSON.stringify({
      ...(await makeCalls({ fairlead, doors, peers })),
      otherCopy: recognises({ fairlead }, other),
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
