// npm @urql/core: queries and mutations by HTTP, subscriptions over a WebSocket
// ("socket"), or by its own reader of event streams ("event-stream").

import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { onEnd, pipe, subscribe as listen } from "wonka";
import WebSocket from "ws";
import { address, runScenarios, socketAddress, way } from "./scenarios.mjs";

const answer = ({ data, error }) => ({
  data,
  errors: error && error.graphQLErrors,
});

function connect(user) {
  const socket = createClient({
    url: socketAddress,
    webSocketImpl: WebSocket,
    connectionParams: { user },
    retryAttempts: 0,
  });
  const overSocket = subscriptionExchange({
    forwardSubscription: (request) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe(request, sink) }),
    }),
  });
  const client = new Client({
    url: address,
    exchanges: way === "socket" ? [overSocket, fetchExchange] : [fetchExchange],
    fetchSubscriptions: way === "event-stream",
    fetchOptions: { headers: { "x-user": user } },
  });
  const stops = new Set();

  async function run(text, variables) {
    const result = text.startsWith("mutation")
      ? await client.mutation(text, variables)
      : await client.query(text, variables);
    if (result.error?.networkError) throw result.error;
    return answer(result);
  }

  function subscribe(text, variables, sink) {
    const { unsubscribe } = pipe(
      client.subscription(text, variables),
      onEnd(() => sink.complete()),
      listen((result) => {
        if (result.error?.networkError) sink.error(result.error);
        // What was last is given once more when there will be no next.
        else if (result.hasNext) sink.next(answer(result));
      }),
    );
    stops.add(unsubscribe);
    return unsubscribe;
  }

  async function close() {
    for (const stop of stops) stop();
    await socket.dispose();
  }

  return { run, subscribe, close };
}

runScenarios(connect, { hasSocket: way === "socket" });
