// npm graphql-ws: queries, mutations and subscriptions over `graphql-transport-ws`.

import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { runBy, runScenarios, scenario, socketAddress, until } from "./scenarios.mjs";

function connect(user) {
  const library = createClient({
    url: socketAddress,
    webSocketImpl: WebSocket,
    connectionParams: { user },
    retryAttempts: 0,
    keepAlive: 50, // milliseconds from one ping to the next
  });
  const subscribe = (query, variables, sink) =>
    library.subscribe({ query, variables }, sink);
  return { run: runBy(subscribe), subscribe, close: () => library.dispose(), library };
}

scenario(
  "the acknowledgement carries what the server gave",
  connect,
  async (client) => {
    let given;
    client.library.on("connected", (_, payload) => (given = payload));
    await client.run("{ __typename }", {});
    assert.deepEqual(given, { greeting: "Hello, Ada!" });
  },
);

scenario("both sides send pings, and answer them", connect, async (client) => {
  const seen = new Set();
  for (const kind of ["ping", "pong"]) {
    client.library.on(kind, (received) => seen.add(`${kind} ${received}`));
  }
  const nobody = { next() {}, error() {}, complete() {} };
  client.subscribe('subscription { ticks(name: "pings") }', {}, nobody);
  await until(
    () => seen.size === 4,
    () => [...seen].join(),
  );
});

runScenarios(connect, { hasSocket: true });
