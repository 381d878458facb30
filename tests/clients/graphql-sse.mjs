// npm graphql-sse: event streams, one for each operation ("distinct") or one for all
// that a client does ("single").

import { createClient } from "graphql-sse";
import { address, runBy, runScenarios, way } from "./scenarios.mjs";

function connect(user) {
  const client = createClient({
    url: address,
    singleConnection: way === "single",
    headers: { "x-user": user },
    retryAttempts: 0,
  });
  const subscribe = (query, variables, sink) =>
    client.subscribe({ query, variables }, sink);
  return { run: runBy(subscribe), subscribe, close: () => client.dispose() };
}

runScenarios(connect);
