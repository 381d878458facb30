// npm @apollo/client: answers in parts, by the incremental handler that is named.

import {
  ApolloClient,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  NetworkStatus,
  gql,
} from "@apollo/client";
import {
  Defer20220824Handler,
  GraphQL17Alpha9Handler,
} from "@apollo/client/incremental";
import { runParts } from "./parts.mjs";
import { address, way } from "./scenarios.mjs";

const Handler = { Defer20220824Handler, GraphQL17Alpha9Handler }[way];

const IS_OVER = [NetworkStatus.ready, NetworkStatus.error];

function connect() {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new HttpLink({ uri: address }),
    incrementalHandler: new Handler(),
  });
  const stops = new Set();
  const options = { fetchPolicy: "no-cache", errorPolicy: "all" };

  const run = (text, variables) =>
    client.query({ query: gql(text), variables, ...options });

  function subscribe(text, variables, sink) {
    const subscription = client
      .watchQuery({ query: gql(text), variables, ...options })
      .subscribe(({ data, dataState, error, networkStatus }) => {
        if (error && !CombinedGraphQLErrors.is(error)) return sink.error(error);
        // There is a first state with nothing, and the last one may be told twice.
        if (dataState !== "empty") sink.next({ data, errors: error?.errors });
        if (IS_OVER.includes(networkStatus)) sink.complete();
      });
    const stop = () => subscription.unsubscribe();
    stops.add(stop);
    return stop;
  }

  function close() {
    for (const stop of stops) stop();
    client.stop();
  }

  return { run, subscribe, close };
}

runParts(connect);
