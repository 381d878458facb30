// Trades, over a WebSocket. Each has a number, one higher than the one before. Whoever
// asks for what is after a number gets all of it, whatever happened meanwhile.

const SHOWN = 50;
const FIRST_WAIT = 500; // milliseconds
const LONGEST_WAIT = 8000;

const table = document.getElementById("trades");
const template = document.getElementById("trade");

export const lastNumber = () => Number(table.dataset.last);

export function followTrades(last, onTrades, onState) {
  let wait = FIRST_WAIT;
  const open = () => {
    const socket = new WebSocket(addressOf(last));
    socket.addEventListener("open", () => {
      wait = FIRST_WAIT;
      onState("live");
    });
    socket.addEventListener("message", (event) => {
      const trades = JSON.parse(event.data).filter(({ number }) => number > last);
      if (!trades.length) return;
      last = trades.at(-1).number;
      onTrades(trades);
    });
    socket.addEventListener("close", () => {
      onState("lost");
      // Not all pages at the same moment, when a server comes back.
      setTimeout(open, wait * (0.5 + Math.random()));
      wait = Math.min(2 * wait, LONGEST_WAIT);
    });
  };
  open();
}

export function showTrades(trades) {
  table.prepend(...trades.map(row).reverse());
  while (table.rows.length > SHOWN) table.deleteRow(-1);
}

function addressOf(last) {
  const address = new URL(`/trades?after=${last}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

function row({ number, time, symbol, side, quantity, price }) {
  const made = template.content.cloneNode(true).querySelector("tr");
  const texts = ["", symbol, side[0].toUpperCase() + side.slice(1), quantity, price];
  texts.forEach((text, index) => made.cells[index].append(text));
  const clock = made.querySelector("time");
  clock.dateTime = time;
  clock.textContent = time.slice(11, 19);
  made.cells[2].dataset.side = side;
  made.dataset.number = number;
  made.classList.add("new");
  return made;
}
