// Numbers with their unit, as the rest of the page says them.
const SCALES = {
  s: [[60, 60, "min"], [1, 1, "s"], [0.001, 0.001, "ms"], [0, 1e-6, "µs"]],
  ms: [[1000, 1000, "s"], [0, 1, "ms"]],
  By: [[2 ** 30, 2 ** 30, "GiB"], [2 ** 20, 2 ** 20, "MiB"], [1024, 1024, "KiB"], [0, 1, "B"]],
};
const WORDS = { "1/s": "/s", "%": "%" };

const digits = (value) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en-GB") : String(Number(value.toPrecision(3))));

/** Say a value: 0.0123 s is "12.3 ms", a ratio (unit "1") is in %. */
export const quantity = (value, unit) => {
  if (value === null || value === undefined || Number.isNaN(value)) return "none";
  if (unit === "1") return `${digits(value * 100)} %`;
  const scale = (SCALES[unit] ?? []).find(([least]) => Math.abs(value) >= least);
  if (scale && value !== 0) return `${digits(value / scale[1])} ${scale[2]}`;
  const word = WORDS[unit] ?? (SCALES[unit] ? unit : unit?.startsWith("{") ? unit.slice(1, -1) : unit);
  return word ? `${digits(value)} ${word}` : digits(value);
};

/** Say every tick of an axis in one unit, fitting the largest. */
export const ticks = (values, unit) => {
  const largest = Math.max(...values.map(Math.abs));
  const scale = (SCALES[unit] ?? []).find(([least]) => largest >= least);
  const divide = unit === "1" ? 0.01 : scale?.[1] ?? 1;
  const word = unit === "1" ? " %" : scale ? ` ${scale[2]}` : unit === "1/s" ? " /s" : unit === "%" ? " %" : "";
  return values.map((value) => `${digits(value / divide)}${word}`);
};

/** The UTC time of day of epoch seconds. */
export const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
