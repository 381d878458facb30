// What every GraphQL client does in these tests, whatever its library and protocol.
//
// A program of this folder is run as `node PROGRAM HOST:PORT [WAY]`. It has a function
// `connect(user)` that makes a client with its library, and hands it to `runScenarios`.
// Such a client has three functions:
//
//   run(query, variables)              a promise of { data, errors }
//   subscribe(query, variables, sink)  returns a function that stops the subscription;
//                                      sink has next({ data, errors }), error(reason)
//                                      and complete()
//   close()                            leaves the server, whatever is going on
//
// What only some of them do is in `parts.mjs` and `uploads.mjs`, for such clients too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";

const DEADLINE = 5_000; // milliseconds

const [host, chosen] = process.argv.slice(2);

export const way = chosen;
export const address = `http://${host}/graphql`;
export const socketAddress = `ws://${host}/graphql`;

/** Looks until a claim is true. */
export async function until(claim, what) {
  const deadline = Date.now() + DEADLINE;
  while (!(await claim())) {
    assert.ok(Date.now() < deadline, `${what()} did not become as it should`);
    await setTimeout(10);
  }
}

/** `run` for a library that does all with one function: the last result there is. */
export function runBy(subscribe) {
  return (query, variables) =>
    new Promise((resolve, reject) => {
      let result;
      subscribe(query, variables, {
        next: (value) => (result = value),
        // An array holds GraphQL errors: the server answered, and did not run it.
        error: (reason) =>
          Array.isArray(reason) ? resolve({ errors: reason }) : reject(reason),
        complete: () => resolve(result),
      });
    });
}

/** What a client is given for an operation: its results so far, and how it ended. */
export class Answer {
  results = [];
  ending = undefined;

  constructor(client, query, variables) {
    this.stop = client.subscribe(query, variables, {
      next: (result) => this.results.push(result),
      error: (reason) => (this.ending ??= { reason }),
      complete: () => (this.ending ??= {}),
    });
  }

  async untilResults(count) {
    await until(
      () => this.results.length >= count || this.ending,
      () => inspect(this),
    );
    assert.ok(this.results.length >= count, inspect(this, { depth: 5 }));
  }

  async untilEnd() {
    await until(
      () => this.ending,
      () => inspect(this),
    );
    return this.ending;
  }
}

/** What the server answers to somebody else. */
export async function ask(query, variables) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()).data;
}

/** How many sources of this name are open in the server. */
async function openSources(name) {
  const query = "query Sources($name: String!) { sources(name: $name) }";
  return (await ask(query, { name })).sources;
}

/** Waits until so many sources of this name are open in the server. */
export async function untilSources(name, count) {
  await until(
    async () => (await openSources(name)) === count,
    () => `the number of open sources of ${name}`,
  );
}

/** Tells the server to end, as a service manager would. */
export const endServer = () => fetch(new URL("/end", address), { method: "POST" });

const TICKS = "subscription Ticks($name: String!) { ticks(name: $name) }";
const COUNT = "subscription Count($to: Int!) { count(to: $to) }";

/** Declares a test with a client, which leaves when the test has ended. */
export function scenario(name, connect, run, user = "Ada") {
  test(name, { timeout: 4 * DEADLINE }, async () => {
    const client = connect(user);
    try {
      await run(client);
    } finally {
      await client.close();
    }
  });
}

/** Declares what all clients do. `hasSocket`: their subscriptions use a WebSocket. */
export function runScenarios(connect, { hasSocket = false } = {}) {
  scenario("a query", connect, async (client) => {
    const query = "query Greet($name: String!) { hello(name: $name) }";
    const result = await client.run(query, { name: "Zoë ✓" });
    assert.equal(result.data.hello, "Hello, Zoë ✓!");
    assert.equal(result.errors, undefined);
  });

  scenario("a mutation", connect, async (client) => {
    const mutation = "mutation Add($amount: Int!) { add(amount: $amount) }";
    const before = await client.run(mutation, { amount: 0 });
    const after = await client.run(mutation, { amount: 2 });
    assert.equal(after.data.add - before.data.add, 2);
  });

  scenario("an error beside data", connect, async (client) => {
    const { data, errors } = await client.run('{ hello(name: "you") fails }', {});
    assert.deepEqual({ ...data }, { hello: "Hello, you!", fails: null });
    assert.equal(errors.length, 1);
    assert.equal(errors[0].message, "fails on purpose");
    assert.deepEqual(errors[0].path, ["fails"]);
  });

  scenario("a document that is not valid", connect, async (client) => {
    // Some libraries keep no more of such an answer than its status.
    const { data, errors } = await client
      .run("{ nothing }", {})
      .catch((reason) => ({ errors: [reason] }));
    assert.equal(data ?? null, null);
    assert.match(errors[0].message, /Cannot query field|400/);
  });

  scenario("a subscription", connect, async (client) => {
    const counted = new Answer(client, COUNT, { to: 3 });
    assert.deepEqual(await counted.untilEnd(), {});
    assert.deepEqual(
      counted.results.map(({ data }) => data.count),
      [1, 2, 3],
    );
  });

  scenario("a subscription that fails after an event", connect, async (client) => {
    const failing = new Answer(client, "subscription Failing { failing }", {});
    await failing.untilResults(1);
    assert.equal(failing.results[0].data.failing, 1);
    // Some libraries tell it by a last result, and some by the way it ends.
    const told = () =>
      inspect([failing.results.slice(1), failing.ending], { depth: 5 });
    await until(() => told().includes("fails on purpose"), told);
  });

  scenario("several at once", connect, async (client) => {
    const lengths = [20, 30, 40];
    const counted = lengths.map((to) => new Answer(client, COUNT, { to }));
    const { data } = await client.run('{ hello(name: "all") }', {});
    assert.equal(data.hello, "Hello, all!");
    for (const each of counted) assert.deepEqual(await each.untilEnd(), {});
    assert.deepEqual(
      counted.map(({ results }) => results.length),
      lengths,
    );
  });

  scenario("stop in the middle", connect, async (client) => {
    const ticking = new Answer(client, TICKS, { name: "stop" });
    await ticking.untilResults(2);
    assert.equal(await openSources("stop"), 1);
    ticking.stop();
    await untilSources("stop", 0);
    // The client itself goes on.
    const { data } = await client.run('{ hello(name: "again") }', {});
    assert.equal(data.hello, "Hello, again!");
  });

  scenario("a client that leaves", connect, async (client) => {
    const ticking = new Answer(client, TICKS, { name: "leave" });
    await ticking.untilResults(2);
    assert.equal(await openSources("leave"), 1);
    await client.close();
    await untilSources("leave", 0);
  });

  scenario("who the client says that it is", connect, async (client) => {
    const { data } = await client.run("query User { user }", {});
    assert.equal(data.user, "Ada");
    const subscribed = new Answer(client, "subscription Welcome { welcome }", {});
    await subscribed.untilResults(1);
    assert.equal(subscribed.results[0].data.welcome, "Ada");
  });

  if (hasSocket) {
    scenario(
      "connection parameters that are refused",
      connect,
      async (client) => {
        const refused = new Answer(client, COUNT, { to: 3 });
        const { reason } = await refused.untilEnd();
        assert.match(inspect(reason, { depth: 4 }), /4403/);
        assert.deepEqual(refused.results, []);
      },
      "Mallory",
    );
  }

  // The last one, as there is no server afterwards.
  scenario("the server goes", connect, async (client) => {
    const ticking = new Answer(client, TICKS, { name: "gone" });
    await ticking.untilResults(2);
    await endServer();
    const { reason } = await ticking.untilEnd();
    assert.ok(reason, inspect(ticking));
    if (hasSocket) assert.match(inspect(reason, { depth: 4 }), /1001/);
  });
}
