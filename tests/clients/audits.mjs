// The audits of npm graphql-http: a JSON array of what each of them found.
//
// `node audits.mjs HOST:PORT`

import { serverAudits } from "graphql-http";
import { address } from "./scenarios.mjs";

const found = [];
for (const audit of serverAudits({ url: address, fetchFn: fetch })) {
  const { id, name, status, reason } = await audit.fn();
  found.push({ id, name, status, reason: reason ?? "" });
}
console.log(JSON.stringify(found));
