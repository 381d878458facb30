// Starts GraphiQL on the page, and connects it with the endpoint that the page names.
"use strict";

{
  const main = document.getElementById("graphiql");
  const endpoint = new URL(main.dataset.endpoint, location.href);
  const socketEndpoint = new URL(endpoint);
  socketEndpoint.protocol = endpoint.protocol.replace("http", "ws");

  // Dialogs and menus keep the page behind them from scrolling, by a style element. The
  // page's policy forbids those, and the page never scrolls: they get one without effect.
  const createElement = document.createElement.bind(document);
  document.createElement = (name, ...options) =>
    createElement(name === "style" ? "template" : name, ...options);

  // What comes in place of an answer, such as a refusal or a proxy's page, is shown.
  async function fetchAnswer(address, options) {
    const response = await fetch(address, options);
    const type = response.headers.get("content-type") ?? "";
    if (!/json|multipart\/mixed/.test(type)) {
      throw { message: `${response.status} ${await response.text()}` };
    }
    return response;
  }

  // Queries and mutations, also those that are answered in parts.
  const fetchOverHttp = GraphiQL.createFetcher({
    url: endpoint.href,
    fetch: fetchAnswer,
  });

  // A subscription by the protocol graphql-transport-ws. Each has a socket of its own, so
  // the headers in the editor at that moment are its connection parameters.
  function subscribe(payload, headers, sink) {
    const socket = new WebSocket(socketEndpoint, "graphql-transport-ws");
    const send = (message) => socket.send(JSON.stringify(message));
    const leave = () => {
      removeEventListener("pagehide", finish);
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    };
    const finish = () => {
      leave();
      sink.complete();
    };
    const answers = {
      connection_ack: () => send({ id: "1", type: "subscribe", payload }),
      ping: () => send({ type: "pong" }),
      next: (result) => sink.next(result),
      error: (errors) => {
        sink.next({ errors });
        finish();
      },
      complete: finish,
    };
    // A page that was left may be kept for the way back, with its sockets.
    addEventListener("pagehide", finish);
    socket.onopen = () => send({ type: "connection_init", payload: headers });
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      answers[message.type]?.(message.payload);
    };
    socket.onclose = ({ code, reason }) =>
      sink.error({ message: `The socket was closed: ${code} ${reason}`.trim() });
    return { unsubscribe: leave };
  }

  function isSubscription({ query, operationName }) {
    const { getOperationAST, parse } = GraphiQL.GraphQL;
    try {
      return getOperationAST(parse(query), operationName)?.operation === "subscription";
    } catch {
      return false; // The server says what is wrong with it.
    }
  }

  function fetcher(parameters, options) {
    return isSubscription(parameters)
      ? { subscribe: (sink) => subscribe(parameters, options.headers, sink) }
      : fetchOverHttp(parameters, options);
  }

  const given = new URLSearchParams(location.search);
  ReactDOM.createRoot(main).render(
    React.createElement(GraphiQL, {
      fetcher,
      query: given.get("query") ?? undefined,
      variables: given.get("variables") ?? undefined,
      operationName: given.get("operationName") ?? undefined,
      defaultEditorToolsVisibility: true,
    }),
  );
}
