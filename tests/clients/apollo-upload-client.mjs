// npm apollo-upload-client: a link of Apollo Client that sends files.

import {
  ApolloClient,
  CombinedGraphQLErrors,
  InMemoryCache,
  gql,
} from "@apollo/client";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { address } from "./scenarios.mjs";
import { PREFLIGHT, runUploads, runWithoutPreflight } from "./uploads.mjs";

const connectWith = (headers) => () => {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new UploadHttpLink({ uri: address, headers }),
  });
  const options = { fetchPolicy: "no-cache", errorPolicy: "all" };

  async function run(text, variables) {
    const { data, error } = text.startsWith("mutation")
      ? await client.mutate({ mutation: gql(text), variables, ...options })
      : await client.query({ query: gql(text), variables, ...options });
    if (error && !CombinedGraphQLErrors.is(error)) throw error;
    return { data, errors: error?.errors };
  }

  return { run, close: () => client.stop() };
};

runUploads(connectWith(PREFLIGHT));
runWithoutPreflight(connectWith({}));
