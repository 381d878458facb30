// Prices, as server-sent events: all of them at first, and then what changed.

const AGAIN = 2000; // milliseconds

export function followPrices(onSnapshot, onTick, onState) {
  const events = new EventSource("/prices");
  events.addEventListener("open", () => onState("live"));
  events.addEventListener("snapshot", (event) => onSnapshot(JSON.parse(event.data)));
  events.addEventListener("tick", (event) => onTick(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    onState("lost");
    // The browser comes back by itself when a connection breaks, and gives up when the
    // answer is an error, as that of a server that is about to end.
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(() => followPrices(onSnapshot, onTick, onState), AGAIN);
    }
  });
}
