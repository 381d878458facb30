// The chosen stock in words and figures, above and below its chart.

const find = (id) => document.getElementById(id);

export function showChosen(row, prices) {
  const { symbol, name, opening } = row.dataset;
  const price = row.querySelector(".price").value;
  const change = row.querySelector(".change");
  put("chosen-symbol", symbol);
  put("chosen-name", name);
  put("chosen-price", price);
  find("chosen-price").value = price;
  put("chosen-change", change.textContent);
  find("chosen-change").dataset.direction = change.dataset.direction;
  put("chosen-opening", opening);
  put("chosen-low", prices.length ? Math.min(...prices).toFixed(2) : price);
  put("chosen-high", prices.length ? Math.max(...prices).toFixed(2) : price);
  find("chart").setAttribute("aria-label", `Price of ${name} in the last five minutes`);
}

function put(id, text) {
  const element = find(id);
  if (element.textContent !== text) element.textContent = text;
}
