// npm subscriptions-transport-ws: all of it over the older protocol, `graphql-ws`.

import assert from "node:assert/strict";
import { SubscriptionClient } from "subscriptions-transport-ws";
import WebSocket from "ws";
import { runBy, runScenarios, scenario, socketAddress, until } from "./scenarios.mjs";

function connect(user) {
  let refusal;
  const library = new SubscriptionClient(
    socketAddress,
    { connectionParams: { user }, connectionCallback: (error) => (refusal = error) },
    WebSocket,
  );

  function subscribe(query, variables, sink) {
    // Whoever has subscribed is not told by the library that the connection is lost.
    library.onConnecting(() =>
      library.client.addEventListener("close", ({ code }) => sink.error({ code })),
    );
    const { unsubscribe } = library.request({ query, variables }).subscribe({
      next: (result) => sink.next(result),
      error: (error) => sink.error([error]),
      complete: () => sink.complete(),
    });
    return unsubscribe;
  }

  function close() {
    library.close();
    // This timer goes on when it was the server that closed the connection.
    library.clearCheckConnectionInterval();
  }

  return { run: runBy(subscribe), subscribe, close, library, refusal: () => refusal };
}

scenario(
  "the acknowledgement carries what the server gave",
  connect,
  async (client) => {
    let given;
    client.library.onConnected((payload) => (given = payload));
    await client.run("{ __typename }", {});
    assert.deepEqual(given, { greeting: "Hello, Ada!" });
  },
);

scenario("the server keeps the connection alive", connect, async (client) => {
  await until(
    () => client.library.wasKeepAliveReceived !== undefined,
    () => "that the library was sent a message for it",
  );
});

scenario(
  "a client that is refused is told why",
  connect,
  async (client) => {
    await until(client.refusal, () => "that the library was told");
    assert.equal(client.refusal().message, "Forbidden");
  },
  "Mallory",
);

runScenarios(connect, { hasSocket: true });
