// What every library does that reads answers in parts, and hands them on as they are.
//
// It has a function `connect()`, and its client two functions:
//
//   payloads(query, variables)   an async iterator of the parts; to return from it
//                                leaves the server
//   close()
//
// The server sends nothing more until it is told to: each part has arrived by itself.

import assert from "node:assert/strict";
import { DEFERRED, STREAMED, release } from "./parts.mjs";
import { scenario, untilSources } from "./scenarios.mjs";

const FIRST = { data: { story: { title: "A story" } }, hasNext: true };

/** What the payloads of the two operations are, in the formats that clients ask for. */
const FORMATS = {
  "deferSpec=20220824": {
    deferred: [
      FIRST,
      {
        incremental: [{ data: { ending: "The end." }, path: ["story"], label: "end" }],
        hasNext: false,
      },
    ],
    streamed: [
      { data: { story: { title: "A story", words: ["Once"] } }, hasNext: true },
      {
        incremental: [{ items: ["upon"], path: ["story", "words", 1], label: "w" }],
        hasNext: true,
      },
      {
        incremental: [{ items: ["a time"], path: ["story", "words", 2], label: "w" }],
        hasNext: true,
      },
      { hasNext: false },
    ],
  },
  "incrementalSpec=v0.2": {
    deferred: [
      { ...FIRST, pending: [{ id: "0", path: ["story"], label: "end" }] },
      {
        incremental: [{ data: { ending: "The end." }, id: "0" }],
        completed: [{ id: "0" }],
        hasNext: false,
      },
    ],
    streamed: [
      {
        data: { story: { title: "A story", words: ["Once"] } },
        pending: [{ id: "0", path: ["story", "words"], label: "w" }],
        hasNext: true,
      },
      { incremental: [{ items: ["upon"], id: "0" }], hasNext: true },
      { incremental: [{ items: ["a time"], id: "0" }], hasNext: true },
      { completed: [{ id: "0" }], hasNext: false },
    ],
  },
};

/** Declares what all these clients do with one of the formats. */
export function runPayloads(connect, format) {
  for (const [kind, query] of Object.entries({
    deferred: DEFERRED,
    streamed: STREAMED,
  })) {
    scenario(`what is ${kind}, by ${format}`, connect, async (client) => {
      const name = `${format} ${kind}`;
      const payloads = [];
      for await (const payload of client.payloads(query, { name })) {
        payloads.push(payload);
        if (payload.hasNext) await release(name);
      }
      assert.deepEqual(payloads, FORMATS[format][kind]);
    });

    scenario(
      `a client that leaves what is ${kind}, by ${format}`,
      connect,
      async (client) => {
        const name = `${format} leave ${kind}`;
        for await (const payload of client.payloads(query, { name })) {
          assert.ok(payload.hasNext);
          await untilSources(name, 1);
          break;
        }
        await untilSources(name, 0);
      },
    );
  }
}
