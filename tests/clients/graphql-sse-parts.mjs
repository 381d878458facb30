// npm graphql-sse: the parts of an answer as the events of a stream.

import { createClient } from "graphql-sse";
import { runPayloads } from "./payloads.mjs";
import { address } from "./scenarios.mjs";

function connect() {
  const client = createClient({ url: address, retryAttempts: 0 });
  const payloads = (query, variables) => client.iterate({ query, variables });
  return { payloads, close: () => client.dispose() };
}

runPayloads(connect, "incrementalSpec=v0.2");
