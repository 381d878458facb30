// The board: what comes from the server, and where on the page it goes.

import { makeChart } from "./board/chart.js";
import { showState } from "./board/connection.js";
import { watchOrders } from "./board/order.js";
import { followPrices } from "./board/prices.js";
import { PriceHistory } from "./board/price_history.js";
import { showChosen } from "./board/chosen.js";
import { markChosen, rowOf, showQuotes, showTrends, whenChosen } from "./board/stocks.js";
import { followTrades, lastNumber, showTrades } from "./board/trades.js";

const history = new PriceHistory();
const chart = makeChart(document.getElementById("chart"));
let chosen = rowOf().dataset.symbol;

function draw() {
  const [times, prices] = history.columns(chosen);
  chart.show(times, prices);
  showChosen(rowOf(chosen), prices);
}

function choose(symbol) {
  chosen = symbol;
  markChosen(symbol);
  document.getElementById("symbol").value = symbol;
  draw();
}

// What was missed while the stream was away is in the history that is read again.
async function begin(stocks) {
  showQuotes(stocks);
  await history.load();
  showTrends(history);
  draw();
}

function tick(changes) {
  showQuotes(changes);
  history.add(changes);
  showTrends(history);
  draw();
}

whenChosen(choose);
watchOrders(choose);
choose(chosen);
followPrices(begin, tick, (state) => showState("prices", state));
followTrades(lastNumber(), showTrades, (state) => showState("trades", state));
