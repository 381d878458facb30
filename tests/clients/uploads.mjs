// What every GraphQL client does that sends files, by the GraphQL multipart request
// convention. A client is what `scenarios.mjs` says.

import assert from "node:assert/strict";
import { File } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { ask, scenario, until } from "./scenarios.mjs";

// Libraries look for the browser's own, which Node has from version 20.
globalThis.File ??= File;

// What a page of a foreign origin could not add unasked.
export const PREFLIGHT = { "apollo-require-preflight": "true" };

const SEND = `mutation Send($parcel: Parcel!) {
  send(parcel: $parcel) { name type size digest }
}`;

const note = () => new File(["Grüße ✓"], "Zoë ✓.txt", { type: "text/plain" });
// It is too big for the server to keep it in memory.
const image = () => new File([randomBytes(2 ** 20)], "a.png", { type: "image/png" });
const nothing = () => new File([], "empty.txt", { type: "text/plain" });

/** What the server should tell of these files. */
const told = (files) =>
  Promise.all(
    files.map(async (file) => {
      const content = Buffer.from(await file.arrayBuffer());
      const digest = createHash("sha256").update(content).digest("hex");
      return { name: file.name, type: file.type, size: file.size, digest };
    }),
  );

/** Waits until so many temporary files are open in the server. */
export async function untilFiles(count) {
  await until(
    async () => (await ask("{ files }")).files === count,
    () => "the number of temporary files",
  );
}

/** Whether it was refused: some libraries keep no more of that than the status. */
async function assertRefused(client, files) {
  const { data, errors } = await client
    .run(SEND, { parcel: { files } })
    .catch((reason) => ({ errors: [reason] }));
  assert.equal(data ?? null, null);
  assert.match(inspect(errors[0]), /files|header|400/);
}

/** Declares what all these clients do. */
export function runUploads(connect) {
  const [small, big, same] = [note(), image(), note()];
  const parcels = {
    "a file": [small],
    "a file of one MiB": [big],
    "a file without content": [nothing()],
    "several files": [small, big, nothing()],
    "a file at several places": [same, big, same],
  };

  for (const [name, files] of Object.entries(parcels)) {
    scenario(name, connect, async (client) => {
      const { data, errors } = await client.run(SEND, { parcel: { files } });
      assert.equal(errors, undefined);
      const seen = data.send.map(({ name, type, size, digest }) => ({
        name,
        type,
        size,
        digest,
      }));
      assert.deepEqual(seen, await told(files));
      await untilFiles(0);
    });
  }

  scenario("an operation without files", connect, async (client) => {
    const { data } = await client.run('{ hello(name: "you") }', {});
    assert.equal(data.hello, "Hello, you!");
  });

  scenario("too many files", connect, async (client) => {
    await assertRefused(client, Array.from({ length: 21 }, note));
  });
}

/** Declares that files are refused if the header is not there that `connect` adds. */
export function runWithoutPreflight(connect) {
  scenario("a request that any page could send", connect, async (client) => {
    await assertRefused(client, [note()]);
  });
}
