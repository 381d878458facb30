// npm @apollo/client: queries and mutations by HTTP, subscriptions over a WebSocket
// ("socket"), by event streams ("event-stream"), or by HTTP as well, which is its own
// multipart protocol ("multipart").

import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  Observable,
  gql,
} from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { OperationTypeNode, print } from "graphql";
import { createClient as createEventStreamClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import WebSocket from "ws";
import { address, runScenarios, socketAddress, way } from "./scenarios.mjs";

// Both libraries look for the browser's own, which Node has from version 22.
globalThis.WebSocket ??= WebSocket;

/** The link that the documentation of graphql-sse gives. */
class EventStreamLink extends ApolloLink {
  constructor(client) {
    super();
    this.client = client;
  }

  request(operation) {
    const request = { ...operation, query: print(operation.query) };
    return new Observable((sink) => this.client.subscribe(request, sink));
  }
}

/** The link for subscriptions, and what closes it. */
function subscriptions(user, httpLink) {
  if (way === "multipart") return [httpLink, () => {}];
  if (way === "socket") {
    const client = createSocketClient({
      url: socketAddress,
      connectionParams: { user },
      retryAttempts: 0,
    });
    return [new GraphQLWsLink(client), () => client.dispose()];
  }
  const client = createEventStreamClient({
    url: address,
    headers: { "x-user": user },
    retryAttempts: 0,
  });
  return [new EventStreamLink(client), () => client.dispose()];
}

const answer = ({ data, error }) => ({ data, errors: error?.errors });
const isRefusal = (error) => error && !CombinedGraphQLErrors.is(error);

function connect(user) {
  const httpLink = new HttpLink({ uri: address, headers: { "x-user": user } });
  const [subscriptionLink, closeLink] = subscriptions(user, httpLink);
  const stops = new Set();
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      subscriptionLink,
      httpLink,
    ),
  });
  const options = { fetchPolicy: "no-cache", errorPolicy: "all" };

  async function run(text, variables) {
    const result = text.startsWith("mutation")
      ? await client.mutate({ mutation: gql(text), variables, ...options })
      : await client.query({ query: gql(text), variables, ...options });
    if (isRefusal(result.error)) throw result.error;
    return answer(result);
  }

  function subscribe(text, variables, sink) {
    const subscription = client
      .subscribe({ query: gql(text), variables, ...options })
      .subscribe({
        next: (result) =>
          isRefusal(result.error)
            ? sink.error(result.error)
            : sink.next(answer(result)),
        error: (reason) => sink.error(reason),
        complete: () => sink.complete(),
      });
    const stop = () => subscription.unsubscribe();
    stops.add(stop);
    return stop;
  }

  async function close() {
    for (const stop of stops) stop();
    client.stop();
    await closeLink();
  }

  return { run, subscribe, close };
}

runScenarios(connect, { hasSocket: way === "socket" });
