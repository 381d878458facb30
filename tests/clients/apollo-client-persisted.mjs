// npm @apollo/client: hashes in place of documents, which are sent when the server asks
// for them, and the ids of trusted documents. npm @apollo/persisted-query-lists finds
// these in the manifest that `python -m bareasgi_graphql documents` wrote.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { generatePersistedQueryIdsFromManifest } from "@apollo/persisted-query-lists";
import { Answer, address, scenario } from "./scenarios.mjs";

const HELLO = "query Hello($name: String!) { hello(name: $name) }";
const COUNT = "subscription Count($to: Int!) { count(to: $to) }";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hashes = (options) => new PersistedQueryLink({ sha256, ...options });
const trusted = new PersistedQueryLink(
  generatePersistedQueryIdsFromManifest({
    loadManifest: () => JSON.parse(readFileSync("manifest.json", "utf-8")),
  }),
);

/** A client of a path. What it sends is in `sent`, such as "POST hash and text". */
const connectTo = (path, link) => () => {
  const sent = [];
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([
      link,
      new HttpLink({
        uri: new URL(path, address).href,
        fetch(url, options) {
          const request = `${decodeURIComponent(url)} ${options.body}`;
          const kinds = { hash: /"sha256Hash":/, text: /"query":/ };
          const present = Object.keys(kinds).filter((kind) =>
            kinds[kind].test(request),
          );
          sent.push(`${options.method} ${present.join(" and ")}`);
          return fetch(url, options);
        },
      }),
    ]),
  });
  const options = { fetchPolicy: "no-cache", errorPolicy: "all" };

  const run = (text, variables) =>
    client.query({ query: gql(text), variables, ...options });

  function subscribe(text, variables, sink) {
    const subscription = client
      .subscribe({ query: gql(text), variables, ...options })
      .subscribe({
        next: ({ data, error }) => (error ? sink.error(error) : sink.next({ data })),
        complete: () => sink.complete(),
      });
    return () => subscription.unsubscribe();
  }

  return { run, subscribe, close: () => client.stop(), sent };
};

async function greet(client, name) {
  const { data, error } = await client.run(HELLO, { name });
  assert.equal(error, undefined);
  assert.equal(data.hello, `Hello, ${name}!`);
}

scenario(
  "a hash is enough later",
  connectTo("/persisted", hashes()),
  async (client) => {
    await greet(client, "Ada");
    await greet(client, "Zoë");
    assert.deepEqual(client.sent, ["POST hash", "POST hash and text", "POST hash"]);
  },
);

scenario(
  "hashes by GET, and the text once by POST",
  connectTo("/persisted", hashes({ useGETForHashedQueries: true })),
  async (client) => {
    const query = "query HelloByGet($name: String!) { hello(name: $name) }";
    for (const name of ["Ada", "Zoë"]) {
      const { data } = await client.run(query, { name });
      assert.equal(data.hello, `Hello, ${name}!`);
    }
    assert.deepEqual(client.sent, ["GET hash", "POST hash and text", "GET hash"]);
  },
);

scenario(
  "a server that keeps no documents is sent no more hashes",
  connectTo("/graphql", hashes()),
  async (client) => {
    await greet(client, "Ada");
    await greet(client, "Zoë");
    assert.deepEqual(client.sent, ["POST hash", "POST text", "POST text"]);
  },
);

scenario("a trusted document", connectTo("/trusted", trusted), async (client) => {
  await greet(client, "Ada");
  assert.deepEqual(client.sent, ["POST hash"]);
});

scenario("a trusted subscription", connectTo("/trusted", trusted), async (client) => {
  const counted = new Answer(client, COUNT, { to: 3 });
  assert.deepEqual(await counted.untilEnd(), {});
  assert.deepEqual(
    counted.results.map(({ data }) => data.count),
    [1, 2, 3],
  );
  assert.deepEqual(client.sent, ["POST hash"]);
});

scenario(
  "a document that is not trusted",
  connectTo("/trusted", hashes()),
  async (client) => {
    const { data, error } = await client.run("query Other { __typename }", {});
    assert.equal(data, undefined);
    assert.match(JSON.stringify(error.errors ?? error), /PERSISTED_QUERY_NOT_IN_LIST/);
    // The text would be of no use, and the client knows that.
    assert.deepEqual(client.sent, ["POST hash"]);
  },
);

scenario(
  "the text of a trusted document",
  connectTo("/trusted", new ApolloLink((operation, forward) => forward(operation))),
  async (client) => {
    const { error } = await client.run(HELLO, { name: "Ada" });
    assert.match(JSON.stringify(error.errors ?? error), /PERSISTED_QUERY_ID_REQUIRED/);
  },
);
