// Metric charts: uPlot on a canvas, with the usual band, the incident's shade, changes as flags, and the same as a table.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { readColours } from "./colours.js";
import { clock, quantity, ticks } from "./units.js";

const drawn = new Map(); // plot element → redraw
let colours = null;

const COLOURS = ["ink-2", "ink-3", "grid", "line-strong", "series-1", "band", "fault"];

const rectangle = (u, x0, x1, y0, y1, colour) => {
  const { left, top, width, height } = u.bbox;
  const from = Math.max(left, u.valToPos(x0, "x", true)), to = Math.min(left + width, u.valToPos(x1, "x", true));
  const high = Math.max(top, Math.min(y0, y1)), low = Math.min(top + height, Math.max(y0, y1));
  if (to <= from || low <= high) return;
  u.ctx.fillStyle = colour;
  u.ctx.fillRect(from, high, to - from, Math.max(low - high, devicePixelRatio));
};

const behind = (data) => (u) => {
  const { top, height } = u.bbox;
  if (data.from !== null) rectangle(u, data.from, data.to, top, top + height, colours.fault);
  if (data.low !== null && data.high !== null) {
    rectangle(u, data.times[0], data.times.at(-1), u.valToPos(data.high, "y", true), u.valToPos(data.low, "y", true), colours.band);
  }
};

const flags = (data) => (u) => {
  const { ctx, bbox } = u, ratio = devicePixelRatio;
  ctx.save();
  ctx.font = colours.font.replace("11px", `${11 * ratio}px`);
  let free = bbox.left;
  for (const change of data.changes) {
    const x = Math.round(u.valToPos(change.at, "x", true));
    ctx.strokeStyle = colours["ink-3"];
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(change.text).width;
    const start = Math.min(x, bbox.left + bbox.width - width);
    if (start >= free) {
      ctx.fillStyle = colours["ink-2"];
      ctx.fillText(change.text, start, bbox.top - 4 * ratio);
      free = start + width + 6 * ratio;
    }
  }
  ctx.restore();
};

const options = (plot, data, value) => ({
  width: plot.clientWidth,
  height: plot.clientHeight,
  padding: [16, 22, 0, 0],
  legend: { show: false },
  cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
  scales: {
    x: { time: true },
    y: { range: (u, low, high) => { const top = Math.max(high, data.high ?? -Infinity, 0), foot = Math.min(0, low); return [foot, top === foot ? foot + 1 : top + (top - foot) * 0.06]; } },
  },
  tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
  axes: [
    {
      stroke: colours["ink-3"], font: colours.font, size: 28, gap: 8, space: 64,
      grid: { show: false }, ticks: { show: false }, border: { show: true, stroke: colours["line-strong"], width: 1 },
      values: (u, at) => at.map((seconds) => clock(seconds).slice(0, at.length > 1 && at[1] - at[0] < 60 ? 8 : 5)),
    },
    {
      stroke: colours["ink-3"], font: colours.font, size: 58, gap: 6, space: 34,
      grid: { stroke: colours.grid, width: 1 }, ticks: { show: false },
      values: (u, at) => ticks(at, data.unit),
    },
  ],
  series: [
    {},
    { stroke: colours["series-1"], width: 1.75, points: { show: data.times.length <= 24, size: 5, fill: colours["series-1"] }, spanGaps: false },
  ],
  hooks: {
    drawClear: [behind(data)],
    draw: [flags(data)],
    setCursor: [(u) => {
      const at = u.cursor.idx;
      value.textContent = at === null || at === undefined ? "" : `${clock(data.times[at])} UTC: ${quantity(data.values[at], data.unit)}`;
    }],
  },
});

const table = (data) => {
  const node = document.createElement("table");
  node.className = "table";
  const head = node.createTHead().insertRow();
  for (const words of ["Time, UTC", data.label]) {
    const cell = document.createElement("th");
    cell.textContent = words;
    head.append(cell);
  }
  const body = node.createTBody();
  data.times.forEach((seconds, i) => {
    const row = body.insertRow();
    row.insertCell().textContent = clock(seconds);
    row.insertCell().textContent = quantity(data.values[i], data.unit);
  });
  return node;
};

const draw = (figure) => {
  const plot = figure.querySelector(".plot");
  const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  const value = figure.querySelector(".value");
  let chart = null;
  const redraw = () => {
    if (plot.clientWidth < 60) return;
    chart?.destroy();
    chart = new uPlot(options(plot, data, value), [data.times, data.values], plot);
  };
  drawn.set(plot, redraw);
  sizes.observe(plot);
  const details = figure.querySelector(".as-table");
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const box = document.createElement("div");
    box.className = "scroll";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Values of the chart");
    box.append(table(data));
    details.append(box);
  });
};

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.isConnected) drawn.get(target)?.(); else { sizes.unobserve(target); drawn.delete(target); }
});

/** Draw the charts inside `root` that are not drawn yet. */
export const charts = (root = document) => {
  colours ??= readColours(COLOURS);
  for (const figure of root.querySelectorAll("figure[data-chart]")) if (!drawn.has(figure.querySelector(".plot"))) draw(figure);
};

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = readColours(COLOURS);
  for (const redraw of drawn.values()) redraw();
});
