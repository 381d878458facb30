// Tells in words how a connection is. The element is a live region, so a screen reader
// says it too, and only when it changes.

const WORDS = {
  live: "live",
  waiting: "connecting",
  lost: "lost, trying again",
};

export function showState(name, state) {
  const element = document.getElementById(`${name}-state`);
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  const what = name[0].toUpperCase() + name.slice(1);
  element.textContent = `${what} ${WORDS[state]}`;
}
