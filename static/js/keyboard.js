// Single-key shortcuts. Off while a field has the focus, with a modifier, or when the person switched them off (WCAG 2.1.4).
import { toast } from "./toasts.js";

const ROWS = "[data-row]";
let goPressedAt = -Infinity;

const inField = (target) => target.closest?.("input, textarea, select, [contenteditable]");

// The row that keys mean: the one with the focus, else the one that J and K were last on.
const currentRow = () => document.activeElement?.closest(ROWS) ?? document.querySelector(`${ROWS}[data-current]`);

const move = (step) => {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.getClientRects().length);
  if (!rows.length) return;
  const current = rows.indexOf(currentRow());
  const next = rows[Math.min(rows.length - 1, Math.max(0, current + step))] ?? rows[0];
  const target = next.querySelector("h3 a, th a") ?? next;
  for (const row of rows) row.toggleAttribute("data-current", row === next);
  if (target === next) next.tabIndex = -1;
  target.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
};

const openEvidence = () => {
  const row = document.activeElement?.closest(ROWS);
  const chip = row?.querySelector("a.eid");
  if (chip) chip.click();
  return Boolean(chip);
};

const go = (key) => {
  const link = performance.now() - goPressedAt > 1500 ? null : document.querySelector(`.rail [data-go="${CSS.escape(key)}"]`);
  goPressedAt = key === "g" ? goPressedAt : -Infinity; // only the very next key goes somewhere
  link?.click();
  return Boolean(link);
};

const open = () => {
  const link = document.activeElement === document.body ? currentRow()?.querySelector("h3 a, th a") : null;
  link?.click();
  return Boolean(link);
};

const act = (key) => {
  const field = document.querySelector(`[data-focus-key="${CSS.escape(key)}"]`) ?? (key === "/" ? document.querySelector("input[type=search]") : null);
  if (field) { field.focus(); field.scrollIntoView({ block: "nearest" }); return true; }
  const wanted = `[data-key="${CSS.escape(key)}"]`;
  const buttons = [...document.querySelectorAll(wanted)];
  const button = currentRow()?.querySelector(wanted) ?? buttons.find((other) => !other.closest(ROWS));
  if (button) { button.click(); return true; }
  // A key never means some row that nobody is on.
  if (buttons.length) toast(currentRow() ? "Not possible for this incident as it is." : "Move to an incident with J or K first.");
  return buttons.length > 0;
};

const pressed = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  const done = go(key) || (key === "g" && (goPressedAt = performance.now())) || (key === "j" && (move(1), true)) || (key === "k" && (move(-1), true))
    || (key === "?" && (document.querySelector("#shortcuts")?.showModal(), true)) || (key === "enter" && open()) || (key === "e" && openEvidence()) || act(key);
  if (done) event.preventDefault();
};

/** Listen for the keys, unless they are switched off. Esc leaves a field; the dialog closes by itself and gives the focus back. */
export const shortcuts = () => {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && inField(event.target)) event.target.blur();
  });
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-help]")) document.querySelector("#shortcuts")?.showModal(); });
  for (const button of document.querySelectorAll("[data-help]")) button.hidden = false;
  if (document.body.dataset.shortcuts !== "off") document.addEventListener("keydown", pressed);
};
