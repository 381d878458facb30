// What every GraphQL client does that takes an answer in parts: `@defer` and `@stream`.
//
// A client is what `scenarios.mjs` says. Its sink is given all the data so far, each
// time that it grew. The server sends nothing more until it is told to, so what a
// client shows has arrived by itself, before any of the rest was sent.

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { Answer, ask, endServer, scenario, until, untilSources } from "./scenarios.mjs";

const STORY = "query Story($name: String!) { story(name: $name) {";
export const DEFERRED = `${STORY} title ... @defer(label: "end") { ending } } }`;
export const STREAMED = `${STORY} title words @stream(label: "w", initialCount: 1) } }`;
const NESTED = `${STORY}
  chapters @stream { number ... @defer { text } }
} }`;
const FAILING = `${STORY} title ... @defer { fails } ... @defer { ending } } }`;
const WHOLE = `query Whole($name: String!, $inParts: Boolean!) { story(name: $name) {
  title ... @defer(if: $inParts) { ending }
} }`;
const NUMBERS = "query Numbers { numbers(to: 1000) @stream }";

/** Lets what has this name go on in the server, once. */
export const release = (name) =>
  ask("mutation Release($name: String!) { release(name: $name) }", { name });

/** Waits until a claim about the data so far is true, and gives the story. */
async function untilStory(answer, claim) {
  const story = () => answer.results.at(-1)?.data?.story;
  await until(
    () => (story() && claim(story())) || answer.ending?.reason,
    () => inspect(answer, { depth: 6 }),
  );
  assert.equal(answer.ending?.reason, undefined);
  return story();
}

/** Declares what all these clients do. */
export function runParts(connect) {
  scenario("a deferred fragment comes by itself", connect, async (client) => {
    const name = "deferred";
    const answer = new Answer(client, DEFERRED, { name });
    const first = await untilStory(answer, ({ title }) => title);
    assert.equal(first.title, "A story");
    assert.equal(first.ending, undefined);
    assert.equal(answer.ending, undefined);
    await release(name);
    const last = await untilStory(answer, ({ ending }) => ending);
    assert.equal(last.title, "A story");
    assert.equal(last.ending, "The end.");
    assert.deepEqual(await answer.untilEnd(), {});
    assert.equal(answer.results.at(-1).errors, undefined);
  });

  scenario("each item of a streamed list comes by itself", connect, async (client) => {
    const name = "streamed";
    const answer = new Answer(client, STREAMED, { name });
    const words = ["Once", "upon", "a time"];
    for (const count of [1, 2, 3]) {
      const story = await untilStory(answer, (it) => it.words?.length >= count);
      assert.deepEqual(story.words, words.slice(0, count));
      assert.equal(answer.ending, undefined);
      await release(name);
    }
    assert.deepEqual(await answer.untilEnd(), {});
    assert.deepEqual(answer.results.at(-1).data.story.words, words);
  });

  scenario("fragments of streamed items", connect, async (client) => {
    const name = "nested";
    const answer = new Answer(client, NESTED, { name });
    const text = (number) => `The text of chapter ${number}.`;
    await untilStory(answer, ({ chapters }) => chapters.length === 1);
    await release(name);
    const both = await untilStory(answer, ({ chapters }) => chapters.length === 2);
    assert.deepEqual(
      both.chapters.map(({ number }) => number),
      [1, 2],
    );
    // The second before the first.
    await release(`${name} 2`);
    const second = await untilStory(answer, ({ chapters }) => chapters[1].text);
    assert.equal(second.chapters[0].text, undefined);
    assert.equal(second.chapters[1].text, text(2));
    await release(`${name} 1`);
    await untilStory(answer, ({ chapters }) => chapters[0].text === text(1));
    await release(name);
    assert.deepEqual(await answer.untilEnd(), {});
  });

  scenario("a deferred fragment with an error", connect, async (client) => {
    const name = "failing";
    const answer = new Answer(client, FAILING, { name });
    const failed = await untilStory(answer, ({ fails }) => fails === null);
    assert.equal(failed.title, "A story");
    const [error, ...others] = answer.results.at(-1).errors;
    assert.equal(error.message, "fails on purpose");
    assert.deepEqual(error.path, ["story", "fails"]);
    assert.deepEqual(others, []);
    await release(name);
    const last = await untilStory(answer, ({ ending }) => ending);
    assert.equal(last.ending, "The end.");
  });

  scenario("an answer in one piece", connect, async (client) => {
    const name = "whole";
    const answer = new Answer(client, WHOLE, { name, inParts: false });
    await untilSources(name, 1);
    assert.deepEqual(answer.results, []);
    await release(name);
    const story = await untilStory(answer, ({ ending }) => ending);
    assert.equal(story.title, "A story");
    assert.deepEqual(await answer.untilEnd(), {});
  });

  scenario("a long list", connect, async (client) => {
    const answer = new Answer(client, NUMBERS, {});
    assert.deepEqual(await answer.untilEnd(), {});
    assert.deepEqual(
      answer.results.at(-1).data.numbers,
      Array.from({ length: 1000 }, (_, index) => index + 1),
    );
  });

  for (const [kind, query] of Object.entries({ DEFERRED, STREAMED })) {
    const name = kind.toLowerCase();

    scenario(`stop in the middle of what is ${name}`, connect, async (client) => {
      const answer = new Answer(client, query, { name: `stop ${name}` });
      await untilStory(answer, ({ title }) => title);
      await untilSources(`stop ${name}`, 1);
      answer.stop();
      await untilSources(`stop ${name}`, 0);
      // The client itself goes on.
      const { data } = await client.run('{ hello(name: "again") }', {});
      assert.equal(data.hello, "Hello, again!");
    });

    scenario(`a client that leaves what is ${name}`, connect, async (client) => {
      const answer = new Answer(client, query, { name: `leave ${name}` });
      await untilStory(answer, ({ title }) => title);
      await untilSources(`leave ${name}`, 1);
      await client.close();
      await untilSources(`leave ${name}`, 0);
    });
  }

  // The last one, as there is no server afterwards.
  scenario("the server goes", connect, async (client) => {
    const answer = new Answer(client, DEFERRED, { name: "gone" });
    await untilStory(answer, ({ title }) => title);
    await endServer();
    const { reason } = await answer.untilEnd();
    assert.ok(reason, inspect(answer));
  });
}
