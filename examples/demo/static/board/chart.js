// The chart of one stock. uPlot draws on a canvas, in the colours of the style sheet.

import { SECONDS } from "./price_history.js";

const FONT = "12px Inter, sans-serif";
const MINUTES = [60, 120, 300]; // between two labels
const EDGE = 16; // seconds at the left, where a label would be cut off

const colour = (name) => () =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const accent = colour("--accent");

const clock = (time) => new Date(time * 1000).toISOString().slice(11, 19);
const money = (price) => price.toFixed(2);

export function makeChart(place) {
  const chart = new uPlot(options(place), [[], []], place);
  const redraw = () => chart.redraw();
  new ResizeObserver(() => chart.setSize(sizeOf(place))).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.fonts.ready.then(redraw);
  return { show: (times, prices) => chart.setData([times, prices]) };
}

const sizeOf = (place) => ({ width: place.clientWidth, height: place.clientHeight });

function options(place) {
  return {
    ...sizeOf(place),
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: (_, __, last) => [last - SECONDS, last] },
      y: { range: (_, low, high) => uPlot.rangeNum(low, high, 0.15, true) },
    },
    axes: [
      axis({ space: 50, size: 28, incrs: MINUTES, values: minutes }),
      axis({ side: 1, size: 56, values: (_, prices) => prices.map(money) }),
    ],
    series: [{}, { stroke: accent, width: 2, fill: fade, points: { show: false } }],
    hooks: { setCursor: [showPointed] },
  };
}

function axis(more) {
  const lines = { stroke: colour("--line"), width: 1 };
  return { font: FONT, stroke: colour("--soft"), grid: lines, ticks: { show: false }, ...more };
}

function minutes(chart, times) {
  const first = chart.scales.x.min + EDGE;
  return times.map((time) => (time < first ? "" : clock(time).slice(0, 5)));
}

function fade(chart) {
  const { top, height } = chart.bbox;
  const gradient = chart.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `${accent()}3d`);
  gradient.addColorStop(1, `${accent()}00`);
  return gradient;
}

function showPointed(chart) {
  const [times, prices] = chart.data;
  const index = chart.cursor.idx;
  const isPointed = index != null && prices[index] != null;
  document.getElementById("pointed-time").textContent = isPointed
    ? `At ${clock(times[index])}`
    : "At the pointer";
  document.getElementById("pointed-price").textContent = isPointed
    ? money(prices[index])
    : "\u2013";
}
