// The chat: questions go out as forms, answers come as events. A sentence is grey while it is written and gets its mark once checked.
const EVIDENCE_ID = /^E\d{1,4}$/;
const ICONS = "http://www.w3.org/2000/svg";
const MARKS = { supported: ["check", "Supported"], unverified: ["question", "Unverified"], struck: ["cross", "Struck out"], checking: ["more", "Checking"] };

const element = (name, { className, text } = {}) => {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

const icon = (name) => {
  const svg = document.createElementNS(ICONS, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(ICONS, "use"));
  svg.firstChild.setAttribute("href", `#i-${name}`);
  return svg;
};

const chips = (cites) => {
  const box = element("span", { className: "cites" });
  for (const cite of cites ?? []) {
    if (!EVIDENCE_ID.test(cite) || !document.getElementById(cite)) continue;
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
      if (old) old.replaceWith(parsed);
      else insert(parsed);
      document.querySelector("#no-messages")?.setAttribute("hidden", "");
    });
  }).catch(() => { document.querySelector("#composer-state").textContent = "A message could not be fetched. Reload the page to see it."; });
  fetched.set(id, running);
  return running;
};

// Messages are in the order of their ids, whichever request ends first.
const insert = (node) => {
  const later = [...log().querySelectorAll(".message")].find((other) => Number(other.dataset.message) > Number(node.dataset.message));
  if (later) later.before(node);
  else log().append(node);
};

// Until the message itself is here, its first sentences wait.
const whenThere = (path, id, change) => {
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
    const words = node.querySelector("header span");
    if (words) words.textContent = "writing";
  }),
  "answer.sentence": ({ message, position, text, cites }) => whenThere(path, message, (node) => {
    if (node.getAttribute("aria-busy") === "true") put(node, position, claim({ text, cites, verdict: "checking", isWriting: true }));
  }),
  "answer.claim": ({ message, position, text, cites, verdict, reason }) => whenThere(path, message, (node) => {
    if (node.getAttribute("aria-busy") === "true") put(node, position, claim({ text, cites, verdict, reason }));
  }),
  "answer.done": ({ message }) => { fetchMessage(path, message); },
});

const send = async (form) => {
  const state = document.querySelector("#composer-state");
  const button = form.querySelector(".btn:not([data-prompt])");
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(10000) });
    if (answer.redirected) { location.reload(); return; } // signed out meanwhile
    if (!answer.ok) throw new Error(answer.status === 409 ? await answer.text() : `the server answered ${answer.status}.`);
    state.textContent = "";
    form.querySelector("textarea")?.form.reset();
    log().scrollTop = log().scrollHeight;
  } catch (error) {
    state.textContent = `Not sent: ${error.message} Your text is still here.`;
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
};

// Files go out one request each, so that one that is refused keeps none of the others back.
const attach = async (input, files) => {
  const state = document.querySelector("#composer-state"), refused = [];
  let done = 0;
  for (const file of files) {
    state.textContent = `Attaching ${file.name}…`;
    const body = new FormData();
    body.set("csrfmiddlewaretoken", document.querySelector("#composer [name=csrfmiddlewaretoken]").value);
    body.set("file", file);
    try {
      const answer = await fetch(input.dataset.attach, { method: "POST", body, headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(120000) });
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.status === 409 ? await answer.text() : answer.status === 413 ? `${file.name} is too large; 32 MB are taken, or a gzip of it.` : `${file.name}: the server answered ${answer.status}.`);
      done += 1;
    } catch (error) { refused.push(error.message); }
  }
  input.value = "";
  const taken = done ? `${done === 1 ? "The file is" : `${done} files are`} being read; what it shows comes into the evidence. Ask about it.` : "";
  state.textContent = [...refused, taken].filter(Boolean).join(" ");
};

const takesFiles = (composer) => {
  const input = composer.querySelector("[data-attach]"), box = document.querySelector("#chat");
  if (!input) return;
  input.addEventListener("change", () => attach(input, [...input.files]));
  box.addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); box.dataset.dropping = ""; } });
  box.addEventListener("dragleave", (event) => { if (!box.contains(event.relatedTarget)) delete box.dataset.dropping; });
  box.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    delete box.dataset.dropping;
    attach(input, [...event.dataTransfer.files]);
  });
};

/** Make the forms send in place; Enter sends, Shift Enter is a new line; a suggested question is one press. */
export const chat = () => {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-ask]")) return;
    event.preventDefault();
    send(event.target);
  });
  log().scrollTop = log().scrollHeight;
  const composer = document.querySelector("#composer"), field = composer?.querySelector("textarea");
  if (!composer) return; // somebody who may read along only
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); composer.requestSubmit(); }
  });
  takesFiles(composer);
  composer.addEventListener("click", (event) => {
    const prompt = event.target.closest?.("[data-prompt]");
    if (!prompt) return;
    field.value = prompt.textContent;
    composer.requestSubmit();
  });
};
