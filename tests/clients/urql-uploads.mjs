// npm @urql/core: files, and a mutation with files whose answer comes in parts.

import assert from "node:assert/strict";
import { Client, fetchExchange } from "@urql/core";
import { pipe, subscribe as listen } from "wonka";
import { release } from "./parts.mjs";
import { Answer, address, scenario, untilSources } from "./scenarios.mjs";
import { PREFLIGHT, runUploads, runWithoutPreflight, untilFiles } from "./uploads.mjs";

const connectWith = (headers) => () => {
  // It would let a mutation that nobody listens to any more go on.
  const leaving = new AbortController();
  const client = new Client({
    url: address,
    exchanges: [fetchExchange],
    fetchOptions: { headers },
    fetch: (url, options) => fetch(url, { ...options, signal: leaving.signal }),
  });

  async function run(text, variables) {
    const { data, error } = text.startsWith("mutation")
      ? await client.mutation(text, variables)
      : await client.query(text, variables);
    if (error?.networkError) throw error;
    return { data, errors: error?.graphQLErrors };
  }

  function subscribe(text, variables, sink) {
    const { unsubscribe } = pipe(
      client.mutation(text, variables),
      listen(({ data, error, hasNext }) => {
        if (error) return sink.error(error);
        sink.next({ data });
        if (!hasNext) sink.complete();
      }),
    );
    return unsubscribe;
  }

  return { run, subscribe, close: () => leaving.abort() };
};

const connect = connectWith(PREFLIGHT);

runUploads(connect);
runWithoutPreflight(connectWith({}));

const SEND = `mutation Send($parcel: Parcel!, $name: String!) {
  send(parcel: $parcel) { size ... @defer { digest(after: $name) } }
}`;

// It is too big for the server to keep it in memory.
const parcel = { files: [new File(["ten bytes.".repeat(100_000)], "big")] };

scenario("a file that is read for a deferred part", connect, async (client) => {
  const name = "later";
  const answer = new Answer(client, SEND, { parcel, name });
  await answer.untilResults(1);
  assert.deepEqual(answer.results[0].data.send, [{ size: 1_000_000 }]);
  await untilFiles(1);
  await release(name);
  assert.deepEqual(await answer.untilEnd(), {});
  assert.match(answer.results.at(-1).data.send[0].digest, /^[0-9a-f]{64}$/);
  await untilFiles(0);
});

scenario("a client that leaves before the deferred part", connect, async (client) => {
  const name = "never";
  const answer = new Answer(client, SEND, { parcel, name });
  await answer.untilResults(1);
  await untilFiles(1);
  client.close();
  await untilSources(name, 0);
  await untilFiles(0);
});
