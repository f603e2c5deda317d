// The chat's messages: questions go out as forms, answers come as events. A sentence is grey while it is written and gets its mark once checked.
import { announce } from "./room.js";

const EVIDENCE_ID = /^E\d{1,4}$/;
const ICONS = "http://www.w3.org/2000/svg";
const MARKS = { supported: ["check", "Supported"], unverified: ["question", "Unverified"], struck: ["cross", "Struck out"], checking: ["more", "Checking"] };

export const element = (name, { className, text } = {}) => {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

export const icon = (name) => {
  const svg = document.createElementNS(ICONS, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(ICONS, "use"));
  svg.firstChild.setAttribute("href", `#i-${name}`);
  return svg;
};

// What was looked up for an answer has no card on this page; it opens beside the text all the same.
const lookedUp = new Set();
export const isThere = (cites) => { for (const cite of cites ?? []) lookedUp.add(cite); };

export const chips = (cites) => {
  const box = element("span", { className: "cites" });
  for (const cite of cites ?? []) {
    if (!EVIDENCE_ID.test(cite) || !(lookedUp.has(cite) || document.getElementById(cite))) continue;
    const chip = element("a", { className: "eid", text: cite });
    chip.setAttribute("href", `#${cite}`);
    box.append(chip);
  }
  return box;
};

// Text from the model is only ever text: it is set with textContent and never parsed.
const claim = ({ text, cites, verdict, reason, isWriting }) => {
  const [mark, word] = MARKS[verdict] ?? MARKS.unverified;
  const item = element("li", { className: "claim" });
  item.dataset.verdict = verdict;
  item.dataset.row = "";
  const body = element("span");
  body.append(element("span", { className: "sr", text: `${word}: ` }), element("span", { className: "said", text }));
  if (isWriting) body.append(element("span", { className: "cursor" }));
  if (cites?.length) body.append(" ", chips(cites));
  item.append(icon(mark), body);
  if (reason) item.append(element("span", { className: "why", text: `${word}: ${reason}` }));
  return item;
};

const log = () => document.querySelector("#messages");
const find = (id) => document.getElementById(`m-${id}`);

// Follow the end only when the reader is there.
const keepingTheEnd = (change) => {
  const box = log();
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
  change();
  if (atEnd) box.scrollTop = box.scrollHeight;
};

const fetched = new Map(); // message id → running request, so that two events do not insert it twice

const fetchMessage = (path, id) => {
  const running = (fetched.get(id) ?? Promise.resolve()).then(async () => {
    const answer = await fetch(path.replace("/0/", `/${id}/`), { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".message");
    keepingTheEnd(() => {
      const old = find(id);
      if (old) replace(old, parsed);
      else insert(parsed);
      announce(parsed);
      document.querySelector("#no-messages")?.setAttribute("hidden", "");
    });
  }).catch(() => { document.querySelector("#composer-state").textContent = "A message could not be fetched. Reload the page to see it."; });
  fetched.set(id, running);
  return running;
};

// The sentence that had the focus has it again.
const replace = (old, parsed) => {
  const rows = [...old.querySelectorAll(".claim")], at = rows.indexOf(document.activeElement?.closest(".claim"));
  old.replaceWith(parsed);
  const same = at < 0 ? null : parsed.querySelectorAll(".claim")[at];
  if (same) { same.tabIndex = -1; same.focus({ preventScroll: true }); }
};

// What people say of a sentence changes the sentences alone: an open chart stays open.
const fetchClaims = async (path, id) => {
  const answer = await fetch(path.replace("/0/", `/${id}/`), { signal: AbortSignal.timeout(10000) });
  const claims = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".claims");
  const old = find(id)?.querySelector(".claims");
  if (claims && old) keepingTheEnd(() => replace(old, claims));
};

// How many are answered before one that waits changes when another is done.
const fetchWaiting = (path) => { for (const other of log().querySelectorAll('.message[data-state="waiting"]')) fetchMessage(path, other.dataset.message); };

// Messages are in the order of their ids, whichever request ends first.
const insert = (node) => {
  const later = [...log().querySelectorAll(".message")].find((other) => Number(other.dataset.message) > Number(node.dataset.message));
  if (later) later.before(node);
  else log().append(node);
};

// Until the message itself is here, its first sentences wait.
export const whenThere = (path, id, change) => {
  if (find(id)) { keepingTheEnd(() => change(find(id))); return; }
  (fetched.get(id) ?? fetchMessage(path, id)).then(() => { if (find(id)) keepingTheEnd(() => change(find(id))); });
};

const put = (message, position, item) => {
  const list = message.querySelector(".claims");
  item.dataset.position = position;
  const same = list.querySelector(`[data-position="${Number(position)}"]`) ?? list.children[position];
  if (same) same.replaceWith(item);
  else list.append(item);
};

/** Return what handles the chat's events, given the path of one message with the id 0. */
export const chatEvents = (path) => ({
  "message.created": ({ message }) => { fetchMessage(path, message); },
  "answer.started": ({ message }) => whenThere(path, message, (node) => {
    const words = node.querySelector(".doing");
    if (words) words.textContent = "writing";
    node.dataset.state = "streaming";
    node.querySelector("header form")?.remove();
    node.querySelector(".steering")?.removeAttribute("hidden");
  }),
  "answer.sentence": ({ message, position, text, cites }) => whenThere(path, message, (node) => {
    if (node.getAttribute("aria-busy") === "true") put(node, position, claim({ text, cites, verdict: "checking", isWriting: true }));
  }),
  "answer.claim": ({ message, position, text, cites, verdict, reason }) => whenThere(path, message, (node) => {
    if (node.getAttribute("aria-busy") === "true") put(node, position, claim({ text, cites, verdict, reason }));
  }),
  "answer.done": ({ message }) => { fetchMessage(path, message).then(() => fetchWaiting(path)); },
  "message.changed": ({ message }) => { fetchClaims(path, message).catch(() => {}); },
});

/** Show the newest message, or the one that the address names. */
export const chat = () => {
  const linked = location.hash.startsWith("#m-") && document.getElementById(location.hash.slice(1));
  if (linked) linked.scrollIntoView({ block: "center" });
  else log().scrollTop = log().scrollHeight;
};
