// The table of stocks: prices that change, lines that tell the trend, and the choice.

const POINTS = 60; // in a line: more are not to be seen
const HEIGHT = 24;

const table = document.getElementById("stocks");

export const percent = (change) => `${change.replace("-", "\u2212")}\u00a0%`;

export function rowOf(symbol) {
  return symbol ? table.querySelector(`[data-symbol="${symbol}"]`) : table.rows[0];
}

export function showQuotes(stocks) {
  for (const { symbol, price, change, direction } of stocks) {
    const row = rowOf(symbol);
    if (!row) continue;
    const quote = row.querySelector(".price");
    if (quote.value !== price) flash(quote, Number(price) > Number(quote.value));
    quote.value = quote.textContent = price;
    const cell = row.querySelector(".change");
    cell.dataset.direction = direction;
    cell.textContent = percent(change);
  }
}

export function showTrends(history) {
  for (const row of table.rows) {
    const [, prices] = history.columns(row.dataset.symbol);
    row.querySelector("polyline").setAttribute("points", line(prices));
  }
}

export function whenChosen(choose) {
  table.addEventListener("click", (event) => {
    const button = event.target.closest(".choose");
    if (button) choose(button.closest("tr").dataset.symbol);
  });
}

export function markChosen(symbol) {
  for (const row of table.rows) {
    const isChosen = row.dataset.symbol === symbol;
    row.toggleAttribute("data-chosen", isChosen);
    row.querySelector(".choose").setAttribute("aria-pressed", isChosen);
  }
}

// An animation begins anew when its class was away for a frame.
function flash(element, isHigher) {
  element.classList.remove("rose", "fell");
  requestAnimationFrame(() => element.classList.add(isHigher ? "rose" : "fell"));
}

function line(prices) {
  const step = Math.max(1, Math.floor(prices.length / POINTS));
  const some = prices.filter((_, index) => (prices.length - 1 - index) % step === 0);
  const low = Math.min(...some);
  const span = Math.max(...some) - low || 1;
  return some
    .map((price, index) => {
      const x = (100 * index) / Math.max(1, some.length - 1);
      const y = HEIGHT - (HEIGHT * (price - low)) / span;
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}
