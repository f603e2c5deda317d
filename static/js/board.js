// The board: kept up to date in place, never under somebody's finger; what is new waits behind a button. Acting on a row stays on the page.
import { connect } from "./live.js";
import { toast } from "./toasts.js";

const GAP = 1000, READ_ANYWAY = 30000; // ms: between two readings, and after which a lost hint or an ended snooze is made good
const board = () => document.querySelector("#board");
const newer = document.querySelector("#newer");
let reading = false, again = false, timer = 0, readAt = -GAP, waiting = null;

const isBusy = () => board().contains(document.activeElement) || scrollY > 120 || document.querySelector("dialog[open], details[data-menu][open]");
const sectionOf = (row) => row.closest("[data-section]")?.dataset.section ?? "over";
const rowsOf = (root) => new Map([...root.querySelectorAll("[data-row]")].map((row) => [row.id, row]));

// Put a newer row in the place of one, the focus staying where it was or, when that button is gone, on the row's link.
const replaceRow = (row, fresh) => {
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  if (row.hasAttribute("data-current")) fresh.setAttribute("data-current", "");
  row.replaceWith(fresh);
  if (focused) (fresh.querySelector(key ? `[data-key="${key}"]` : "h3 a, th a") ?? fresh.querySelector("h3 a, th a"))?.focus({ preventScroll: true });
};

// A row that belongs elsewhere now stays where it is, in grey, until the list is shown anew.
const markGone = (row, words) => {
  row.setAttribute("data-gone", "");
  row.querySelector(".acts")?.remove();
  const status = row.querySelector(".status");
  if (status) { status.dataset.is = "resolved"; status.textContent = words; }
};

const showCounts = (page) => {
  document.title = page.title;
  for (const where of ["#board-count", ".board-filters [aria-label=Status] [href*=active]", ".rail a[data-go=i]"]) {
    const mine = document.querySelector(where), theirs = page.querySelector(where);
    if (mine && theirs && mine.innerHTML !== theirs.innerHTML) mine.replaceChildren(...document.importNode(theirs, true).childNodes);
  }
};

const showAll = (fresh) => {
  const current = board().querySelector("[data-current]")?.id;
  board().replaceWith(fresh);
  waiting = null;
  if (newer) newer.hidden = true;
  if (current) document.getElementById(current)?.setAttribute("data-current", "");
};

const take = (page) => {
  const fresh = page.querySelector("#board");
  if (!fresh || fresh.hasAttribute("data-url") !== board().hasAttribute("data-url")) { location.reload(); return; }
  showCounts(page);
  if (!board().hasAttribute("data-url")) { if (!isBusy()) showAll(document.adoptNode(fresh)); return; } // before the first incident
  const old = rowsOf(board()), now = rowsOf(fresh);
  const arrived = [...now.keys()].filter((id) => !old.has(id) && sectionOf(now.get(id)) !== "over");
  const moved = [...old].filter(([id, row]) => !now.has(id) || sectionOf(now.get(id)) !== sectionOf(row));
  if ((arrived.length || moved.length) && !isBusy()) { showAll(document.adoptNode(fresh)); return; }
  for (const [id, row] of old) {
    const other = now.get(id);
    if (other && other.dataset.version !== row.dataset.version && sectionOf(other) === sectionOf(row)) replaceRow(row, document.importNode(other, true));
  }
  for (const [id, row] of moved) if (sectionOf(row) !== "over") markGone(row, !now.has(id) ? "No longer here" : sectionOf(now.get(id)) === "over" ? "Resolved" : `Now under ${fresh.querySelector(`[data-section="${sectionOf(now.get(id))}"]`).closest("section").querySelector("h2").textContent}`);
  if (arrived.length) {
    newer.querySelector("button").textContent = `Show ${arrived.length} new incident${arrived.length > 1 ? "s" : ""}`;
    newer.hidden = false;
  }
  waiting = arrived.length || moved.length ? fresh : null;
};

const read = async () => {
  if (reading) { again = true; return; }
  reading = true;
  readAt = performance.now();
  try {
    const answer = await fetch(board().dataset.url ?? location.href, { headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(8000) });
    if (answer.redirected) location.reload();
    else if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch (error) {
    // The line at the top says that there is no connection; the next reading comes by itself.
    console.info(`The board was not read: ${error.name}`);
  } finally {
    reading = false;
    if (again) { again = false; soon(); }
  }
};

// Many hints at once make one reading; the first is read at once.
const soon = () => { timer ||= setTimeout(() => { timer = 0; if (!document.hidden) read(); }, Math.max(50, readAt + GAP - performance.now())); };

const post = async (form, button, minutes) => {
  const body = new FormData(form);
  if (minutes) body.set("minutes", minutes);
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(button.formAction, { method: "POST", body, headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(8000) });
    if (answer.status === 409) toast(await answer.text());
    else if (!answer.ok || answer.redirected) toast(answer.status === 403 || answer.redirected ? "You may not do this, or you are signed out. Reload the page." : `Not done: the server answered ${answer.status}. Try again.`);
    await read();
  } catch (error) {
    toast(`Not done: no answer (${error.name}). Try again.`);
  } finally {
    button.removeAttribute("aria-busy");
  }
};

const snooze = document.querySelector("#snooze");
let snoozing = null;

document.addEventListener("submit", (event) => {
  const form = event.target.closest?.("form[data-acts]");
  if (!form || !event.submitter) return;
  event.preventDefault();
  if (event.submitter.hasAttribute("data-snooze")) {
    snoozing = { form, button: event.submitter };
    snooze.querySelector("h2").textContent = `Snooze ${form.getAttribute("aria-label")} for how long?`;
    snooze.showModal();
    snooze.querySelector("[data-minutes]").focus();
    return;
  }
  post(form, event.submitter);
});
snooze?.addEventListener("click", (event) => {
  const minutes = event.target.closest("[data-minutes]")?.dataset.minutes;
  if (!minutes || !snoozing) return;
  snooze.close();
  post(snoozing.form, snoozing.button, minutes);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-refresh]")) return;
  if (waiting) showAll(document.adoptNode(waiting)); else read();
  scrollTo({ top: 0 });
});

// An empty field says nothing in the address.
document.querySelector("[data-filters]")?.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (!value) formData.delete(name);
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
setInterval(() => { if (!document.hidden && performance.now() - readAt > READ_ANYWAY) soon(); }, 5000);
connect({ path: "/ws/incidents/", opened: () => { if (readAt > 0) soon(); }, received: soon, poll: soon });
