// npm @urql/core: answers in parts, by its own reader of them. It accepts every type
// that they may have, and is sent `multipart/mixed`.

import { Client, fetchExchange } from "@urql/core";
import { pipe, subscribe as listen } from "wonka";
import { runParts } from "./parts.mjs";
import { address } from "./scenarios.mjs";

function connect() {
  const client = new Client({
    url: address,
    exchanges: [fetchExchange],
    preferGetMethod: false,
  });
  const stops = new Set();

  const run = (text, variables) => client.query(text, variables).toPromise();

  function subscribe(text, variables, sink) {
    const { unsubscribe } = pipe(
      client.query(text, variables),
      listen(({ data, error, hasNext }) => {
        if (error?.networkError) return sink.error(error);
        sink.next({ data, errors: error?.graphQLErrors });
        if (!hasNext) sink.complete();
      }),
    );
    stops.add(unsubscribe);
    return unsubscribe;
  }

  function close() {
    for (const stop of stops) stop();
  }

  return { run, subscribe, close };
}

runParts(connect);
