// The trends' charts: uPlot on a canvas, each also as a table beneath and as a PNG file; filters that send themselves; printing.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { readColours } from "./colours.js";

const COLOURS = ["ink", "ink-2", "ink-3", "grid", "line-strong", "surface", "series-1", "series-2", "band"];
const drawn = new Map(); // plot element → { redraw, chart }
let colours = null;

const digits = (value) => (value >= 9.95 || value === 0 ? String(Math.round(value)) : String(Number(value.toFixed(1))));
const inWords = (minutes) => {
  if (minutes === null || minutes === undefined) return "too few";
  if (minutes < 1) return `${Math.round(minutes * 60)} s`;
  if (minutes < 99.5) return `${digits(minutes)} min`;
  return minutes < 2880 ? `${digits(minutes / 60)} h` : `${digits(minutes / 1440)} days`;
};
const percent = (share) => `${Math.round(share * 100)} %`;
const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

const axis = (more) => ({ stroke: colours["ink-3"], font: colours.font, ticks: { show: false }, ...more });
const bottom = (more) => axis({ size: 28, gap: 8, space: 64, grid: { show: false }, border: { show: true, stroke: colours["line-strong"], width: 1 }, ...more });
const side = (more) => axis({ size: 62, gap: 6, space: 34, grid: { stroke: colours.grid, width: 1 }, ...more });
const STEPS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 7200, 14400]; // minutes
const line = (name, more) => ({ stroke: colours[name], width: 1.75, points: { show: false }, spanGaps: false, ...more });
const edge = () => ({ stroke: "transparent", width: 0, points: { show: false }, spanGaps: false });
const clear = (colour, alpha) => colour.replace(/^(\w+)\((.*?)\s*(?:\/[^)]*)?\)$/, (_, name, inside) => (inside.includes(",") ? `${name}a(${inside}, ${alpha})` : `${name}(${inside} / ${alpha})`));

const marks = (data) => (u) => {
  const { ctx, bbox } = u, ratio = devicePixelRatio;
  ctx.save();
  ctx.font = colours.font.replace("11px", `${11 * ratio}px`);
  for (const mark of data.marks) {
    const x = Math.round(u.valToPos(mark.at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colours["ink-3"];
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillStyle = colours["ink-2"];
    ctx.fillText(mark.text, Math.max(bbox.left, Math.min(x, bbox.left + bbox.width - ctx.measureText(mark.text).width)), bbox.top - 4 * ratio);
  }
  ctx.restore();
};

const said = (output, words) => (u) => { const at = u.cursor.idx; output.textContent = at === null || at === undefined ? "" : words(at); };

const KINDS = {
  course: (data, output) => ({
    options: {
      scales: { x: { time: true }, y: { range: (u, low, high) => [0, Math.max(high, 1) * 1.06] } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      axes: [bottom({ values: (u, at) => at.map(day) }), side({ incrs: STEPS, values: (u, at) => at.map(inWords) })],
      series: [{}, line("series-1", { points: { show: data.times.length <= 60, size: 6, fill: colours["series-1"] } }), edge(), edge()],
      bands: [{ series: [3, 2], fill: colours.band }],
      hooks: {
        draw: [marks(data)],
        setCursor: [said(output, (at) => `From ${day(data.times[at])}: ${inWords(data.median[at])}, n = ${data.n[at]}`)],
      },
    },
    values: [data.times, data.median, data.low, data.high],
  }),
  survival: (data, output) => {
    const steps = uPlot.paths.stepped({ align: 1 });
    const curve = (name, dash) => [line(name, { paths: steps, dash }), { ...edge(), paths: steps }, { ...edge(), paths: steps }];
    const before = data.before ? curve("series-2", [6, 3]) : [];
    const groups = [data.now, ...(data.before ? [data.before] : [])];
    const bands = [{ series: [3, 2], fill: colours.band }];
    if (data.before) bands.push({ series: [6, 5], fill: clear(colours["series-2"], 0.12) });
    return {
      options: {
        scales: { x: { time: false, distr: 3, log: 10, range: (u, low, high) => [Math.max(low, (data.minutes[1] ?? low) * 0.8), high] }, y: { range: [0, 1] } },
        axes: [
          bottom({ space: 44, filter: (u, at) => at, splits: (u) => [1, 5, 15, 60, 240, 1440, 7200].filter((at) => at >= u.scales.x.min && at <= u.scales.x.max), values: (u, at) => at.map(inWords) }),
          side({ values: (u, at) => at.map(percent) }),
        ],
        series: [{}, ...curve("series-1"), ...before],
        bands,
        hooks: { setCursor: [said(output, (at) => `After ${inWords(data.minutes[at])}: ${percent(data.now.share[at])}${data.before ? `, ${percent(data.before.share[at])} before (dashed)` : ""}`)] },
      },
      values: [data.minutes, ...groups.flatMap((group) => [group.share, group.low, group.high])],
    };
  },
  distribution: (data, output) => ({
    options: {
      scales: { x: { time: false, range: [-0.6, data.labels.length - 0.4] }, y: { range: (u, low, high) => [0, Math.max(high, 1) * 1.06] } },
      axes: [
        bottom({ space: 52, splits: () => data.labels.map((_, i) => i), values: (u, at) => { const every = Math.ceil(at.length / Math.max(2, Math.floor(u.bbox.width / devicePixelRatio / 58))); return at.map((i) => (i % every ? "" : data.labels[i])); } }),
        side({ size: 40, values: (u, at) => at.map((n) => (Number.isInteger(n) ? n.toLocaleString("en-GB") : "")) }),
      ],
      series: [{}, line("series-1", { fill: colours["series-1"], paths: uPlot.paths.bars({ size: [0.86] }) })],
      hooks: { setCursor: [said(output, (at) => `${data.labels[at]}: ${data.counts[at]} incidents`)] },
    },
    values: [data.labels.map((_, i) => i), data.counts],
  }),
};

const draw = (figure) => {
  const plot = figure.querySelector(".plot"), output = figure.querySelector(".value");
  const data = JSON.parse(document.getElementById(figure.dataset.trend).textContent);
  const state = { chart: null, redraw: () => {
    if (plot.clientWidth < 60) return;
    state.chart?.destroy();
    const { options, values } = KINDS[data.kind](data, output);
    const shared = { width: plot.clientWidth, height: plot.clientHeight, padding: [16, 14, 0, 0], legend: { show: false }, cursor: { y: false, points: { show: false }, drag: { x: false, y: false } } };
    state.chart = new uPlot({ ...shared, ...options }, values, plot);
  } };
  drawn.set(plot, state);
  sizes.observe(plot);
  const button = figure.querySelector("[data-png]");
  button.hidden = false;
  button.addEventListener("click", () => save(figure, state.chart));
};

// The canvas as a file: on the page's ground, with the finding as its title and where it comes from.
const save = (figure, chart) => {
  const source = chart.ctx.canvas, ratio = devicePixelRatio, head = 34 * ratio, foot = 22 * ratio;
  const canvas = document.createElement("canvas");
  canvas.width = source.width;
  canvas.height = source.height + head + foot;
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = colours.surface;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(source, 0, head);
  ctx.fillStyle = colours.ink;
  ctx.font = `600 ${14 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  ctx.fillText(figure.closest("section").querySelector("h2").textContent, 12 * ratio, 22 * ratio, canvas.width - 24 * ratio);
  ctx.fillStyle = colours["ink-3"];
  ctx.font = colours.font.replace("11px", `${11 * ratio}px`);
  ctx.fillText(document.querySelector(".page-head .muted").textContent, 12 * ratio, canvas.height - 8 * ratio, canvas.width - 24 * ratio);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${figure.dataset.name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
};

const sizes = new ResizeObserver((entries) => { for (const { target } of entries) drawn.get(target)?.redraw(); });
const figures = document.querySelectorAll("figure[data-trend]");
if (figures.length) {
  colours = readColours(COLOURS);
  figures.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colours = readColours(COLOURS);
    for (const { redraw } of drawn.values()) redraw();
  });
}

const form = document.querySelector("[data-autosubmit]");
if (form) {
  // An empty field says nothing in the address.
  form.addEventListener("formdata", ({ formData }) => { for (const [name, value] of [...formData]) if (!value) formData.delete(name); });
  form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
}
const print = document.querySelector("[data-print]");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
