// What another origin's page may do is the browser's decision, by what the server says
// of it (CORS). A page that is refused learns nothing but that there is no answer.

const find = (id) => document.getElementById(id);
const { api } = find("origins").dataset;

function say(id, verdict, text) {
  find(id).dataset.verdict = verdict;
  find(id).textContent = text;
}

// An answer that is not looked at needs nobody's leave: it tells whether there is one.
async function isThere() {
  try {
    await fetch(`${api}/api/stocks`, { mode: "no-cors" });
    return true;
  } catch {
    return false;
  }
}

async function sayWhyNot(id, what) {
  const reason = (await isThere())
    ? `The browser refused: ${api} does not list ${location.origin} among the origins that may ${what}.`
    : `${api} does not answer at all.`;
  say(id, "refused", reason);
}

function showStocks(stocks) {
  const table = find("read-stocks");
  const body = table.tBodies[0];
  body.replaceChildren();
  for (const { symbol, name, price } of stocks) {
    const row = body.insertRow();
    [symbol, name, price].forEach((text) => row.insertCell().append(text));
    row.cells[0].className = "symbol";
    row.cells[2].className = "number";
  }
  table.hidden = stocks.length === 0;
}

async function read() {
  say("read", "waiting", "Asking\u2026");
  try {
    const stocks = await (await fetch(`${api}/api/stocks`)).json();
    showStocks(stocks);
    say("read", "allowed", `The browser let this page read the answer: ${stocks.length} stocks.`);
  } catch {
    showStocks([]);
    await sayWhyNot("read", "read it");
  }
}

async function order() {
  say("ordered", "waiting", "Asking\u2026");
  try {
    const answer = await fetch(`${api}/api/orders`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ symbol: find("origins").dataset.symbol, side: "buy", quantity: 1 }),
    });
    const { symbol, trade } = await answer.json();
    if (!answer.ok) throw new Error(`${answer.status}`);
    say("ordered", "allowed", `The browser let this page order: one share of ${symbol} for ${trade.price}.`);
  } catch {
    await sayWhyNot("ordered", "send orders");
  }
}

find("here").textContent = location.origin;
for (const link of document.querySelectorAll("[data-origin]")) {
  if (link.dataset.origin === location.origin) link.setAttribute("aria-current", "page");
}
find("read-again").addEventListener("click", read);
find("send").addEventListener("click", order);
read();
