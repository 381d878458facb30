// The last five minutes in columns, as the chart wants them: times, and for each stock
// as many prices. A stock that did not change has its last price again.

export const SECONDS = 300;

const seconds = (time) => Date.parse(time) / 1000;

export class PriceHistory {
  #times = [];
  #prices = {};
  #early = null; // what came while the rest was on its way

  async load() {
    this.#early = [];
    try {
      const answer = await fetch("/api/prices");
      if (answer.ok) this.#replace(await answer.json());
    } catch {
      // The stream tells that the server is away. What is known stays.
    }
    const early = this.#early;
    this.#early = null;
    early.forEach((changes) => this.add(changes));
  }

  add(changes) {
    if (this.#early) {
      this.#early.push(changes);
      return;
    }
    const now = seconds(changes[0].time);
    if (!(now > this.#times.at(-1))) return; // known already, or nothing is known yet
    const changed = new Map(changes.map(({ symbol, price }) => [symbol, Number(price)]));
    this.#times.push(now);
    for (const [symbol, column] of Object.entries(this.#prices)) {
      column.push(changed.get(symbol) ?? column.at(-1));
    }
    this.#forget(now - SECONDS);
  }

  columns(symbol) {
    return [this.#times, this.#prices[symbol] ?? []];
  }

  #replace({ times, prices }) {
    this.#times = times.map(seconds);
    for (const [symbol, column] of Object.entries(prices)) {
      this.#prices[symbol] = column.map(Number);
    }
  }

  #forget(before) {
    const old = this.#times.findIndex((time) => time >= before);
    if (old <= 0) return;
    this.#times.splice(0, old);
    for (const column of Object.values(this.#prices)) column.splice(0, old);
  }
}
