// npm meros: the parts of a response of `fetch` ("browser"), or of one of `node:http`
// ("node").

import http from "node:http";
import { meros as merosOfBrowser } from "meros/browser";
import { meros as merosOfNode } from "meros/node";
import { runPayloads } from "./payloads.mjs";
import { address, way } from "./scenarios.mjs";

/** Sends a request. Gives the response, and a function that leaves the server. */
const send = {
  async browser(options, body) {
    const controller = new AbortController();
    const { signal } = controller;
    const response = await fetch(address, { ...options, body, signal });
    return [await merosOfBrowser(response), () => controller.abort()];
  },
  async node(options, body) {
    const request = http.request(address, options);
    const response = await new Promise((resolve, reject) => {
      request.on("response", resolve).on("error", reject).end(body);
    });
    return [await merosOfNode(response), () => request.destroy()];
  },
}[way];

/** Declares it for a format, with the media type that asks for this. */
function run(format, accept) {
  async function* payloads(query, variables) {
    const headers = { accept, "content-type": "application/json" };
    const body = JSON.stringify({ query, variables });
    const [parts, leave] = await send({ method: "POST", headers }, body);
    try {
      for await (const { json, body: payload } of parts) {
        if (!json) throw new Error(`not JSON: ${payload}`);
        yield payload;
      }
    } finally {
      leave();
    }
  }

  runPayloads(() => ({ payloads, close() {} }), format);
}

run("deferSpec=20220824", "multipart/mixed");
run("incrementalSpec=v0.2", "multipart/mixed;incrementalSpec=v0.2");
