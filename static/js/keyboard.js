// Single-key shortcuts. Off while a field has the focus, with a modifier, or when the person switched them off (WCAG 2.1.4).
const ROWS = "[data-row]";
const PAGES = { i: "/incidents/", r: "/runbooks/" };
let goPressedAt = 0;

const inField = (target) => target.closest?.("input, textarea, select, [contenteditable]");

const move = (step) => {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.getClientRects().length);
  if (!rows.length) return;
  const current = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, current + step))] ?? rows[0];
  const target = next.querySelector("h3 a, th a") ?? next;
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
  if (performance.now() - goPressedAt > 1500 || !PAGES[key]) return false;
  location.assign(PAGES[key]);
  return true;
};

const act = (key) => {
  const field = document.querySelector(`[data-focus-key="${CSS.escape(key)}"]`) ?? (key === "/" ? document.querySelector("input[type=search]") : null);
  if (field) { field.focus(); field.scrollIntoView({ block: "nearest" }); return true; }
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (button) { button.click(); return true; }
  return false;
};

const pressed = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  const done = go(key) || (key === "g" && (goPressedAt = performance.now())) || (key === "j" && (move(1), true)) || (key === "k" && (move(-1), true))
    || (key === "?" && (document.querySelector("#shortcuts")?.showModal(), true)) || (key === "e" && openEvidence()) || act(key);
  if (done) event.preventDefault();
};

/** Listen for the keys, unless they are switched off. Esc leaves a field; the dialog closes by itself and gives the focus back. */
export const shortcuts = () => {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && inField(event.target)) event.target.blur();
  });
  if (document.body.dataset.shortcuts !== "off") document.addEventListener("keydown", pressed);
};
