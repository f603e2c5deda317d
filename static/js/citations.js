// From a chip to its evidence beside the text and back: the cited lines are marked and in view, Esc gives the focus back, Back closes.
import { charts } from "./charts.js";

const panel = document.querySelector("#beside"), body = document.querySelector("#beside-body"), place = document.querySelector("#beside-place");
const CHIP = "a.eid[href^='#E']";
let outlined = null;
let shown = null; // the chip whose item is beside the text
let loading = null; // aborts what is being fetched

const outline = (id) => {
  outlined?.removeAttribute("data-cited");
  outlined = document.getElementById(id);
  if (!outlined?.classList.contains("evidence")) { outlined = null; return; }
  outlined.hidden = false;
  outlined.setAttribute("data-cited", "");
};

// An address that names an item, on a page without the panel open, leads to its card.
const goTo = (id) => {
  outline(id);
  outlined?.focus({ preventScroll: true });
  outlined?.scrollIntoView({ block: "start" });
};

const filter = (button) => {
  const kind = button.dataset.kindFilter;
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  for (const card of document.querySelectorAll("#evidence .evidence")) card.hidden = Boolean(kind) && card.dataset.kind !== kind;
};

const idOf = (chip) => chip.getAttribute("href").slice(1);
const said = (chip) => (chip.closest(".claim")?.querySelector(".said") ?? chip.closest(".because, .sentence, .for, div"))?.textContent.trim().slice(0, 2000) ?? "";
const around = (chip) => [...(chip.closest("#messages") ?? document.querySelector("#incident > .page")).querySelectorAll(CHIP)].filter((other) => other.getClientRects().length);

const load = async (chip, box, extra, signal) => {
  const words = new URLSearchParams({ said: said(chip), ...extra });
  const answer = await fetch(`${panel.dataset.citation.replace("/E0/", `/${idOf(chip)}/`)}?${words}`, { signal: AbortSignal.any([signal, AbortSignal.timeout(10000)]) });
  if (answer.redirected) { location.reload(); return; }
  if (!answer.ok) throw new Error(answer.status === 404 ? `${idOf(chip)} is no longer in the evidence.` : `the server answered ${answer.status}.`);
  box.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
  charts(box);
};

const fill = async (chip) => {
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  body.setAttribute("aria-busy", "true");
  try {
    await load(chip, body, {}, signal);
    const line = body.querySelector("[aria-current]");
    if (line) line.scrollIntoView({ block: "center" }); else body.scrollTop = 0;
  } catch (error) {
    if (signal.aborted) return;
    body.textContent = `The evidence could not be fetched: ${error.message}`;
  }
  body.removeAttribute("aria-busy");
};

const open = (chip) => {
  const wasOpen = !panel.hidden, chips = around(chip);
  shown?.removeAttribute("aria-expanded");
  shown = chip;
  chip.setAttribute("aria-expanded", "true");
  history[wasOpen ? "replaceState" : "pushState"]({ from: scrollY }, "", chip.getAttribute("href"));
  outline(idOf(chip));
  panel.hidden = false;
  place.textContent = `${idOf(chip)}, citation ${chips.indexOf(chip) + 1} of ${chips.length}`;
  if (!panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  return fill(chip);
};

// A message that was fetched anew has new chips; the one in its place counts.
const current = () => (shown?.isConnected ? shown : [...document.querySelectorAll(CHIP)].find((chip) => shown && idOf(chip) === idOf(shown)));

const close = () => {
  if (panel.hidden) return;
  loading?.abort();
  panel.hidden = true;
  body.replaceChildren();
  const back = current();
  shown?.removeAttribute("aria-expanded");
  shown = null;
  (back ?? document.querySelector("#messages")).focus({ preventScroll: true });
};

const step = (by) => {
  const chip = current();
  if (panel.hidden || !chip) return;
  const chips = around(chip), next = chips[chips.indexOf(chip) + by];
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  open(next);
};

// A chart or trace inside an answer is fetched when it is opened.
const figure = async (details) => {
  const box = details.querySelector(".shown");
  if (!details.open || box.childNodes.length) return;
  const chip = details.closest(".message").querySelector(`${CHIP}[href="#${details.dataset.figure}"]`);
  try { await load(chip, box, { in: details.dataset.inside }, new AbortController().signal); } catch (error) { box.textContent = `It could not be fetched: ${error.message}`; }
};

/** Follow chips, and filter the evidence by kind. */
export const citations = () => {
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.(`${CHIP}, [data-kind-filter], [data-cited-step], [data-cited-close]`);
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (target.matches(CHIP)) {
      if (panel.contains(target)) return;
      event.preventDefault();
      open(target);
    } else if (target.dataset.citedStep) step(Number(target.dataset.citedStep));
    else if (target.matches("[data-cited-close]")) { history.replaceState(null, "", location.pathname + location.search); close(); }
    else filter(target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden || document.querySelector("dialog[open]") || event.target.matches?.("textarea, input")) return;
    event.preventDefault();
    history.replaceState(null, "", location.pathname + location.search);
    close();
  });
  document.addEventListener("toggle", (event) => { if (event.target.matches?.("details.figure")) figure(event.target); }, true);
  addEventListener("popstate", () => { const wasOpen = !panel.hidden; close(); if (location.hash && !wasOpen) goTo(location.hash.slice(1)); });
  if (location.hash) goTo(location.hash.slice(1));
};
