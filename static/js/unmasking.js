// Tokens that stand for personal data become buttons for those who may see it: a click asks why, fetches this one value, shows it in its place.
const TOKEN = /‹(?:email|iban|name|address|birth|id|phone|ip)-\d{1,4}›/g;
const NOT_HERE = "button, a, summary, script, style, textarea, input, select, option, dialog, .uplot, svg, time";

const sheet = document.querySelector("#unmask");
let asking = null; // the token's button

const button = (token) => {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "token";
  made.dataset.token = token;
  made.textContent = token;
  made.title = "Show what it stands for";
  return made;
};

const wrap = (text) => {
  if (!text.data.includes("‹") || text.parentElement?.closest(NOT_HERE)) return;
  for (const found of [...text.data.matchAll(TOKEN)].reverse()) {
    text.splitText(found.index + found[0].length);
    text.splitText(found.index).replaceWith(button(found[0]));
  }
};

const wrapAll = (root) => {
  if (root.nodeType === Node.TEXT_NODE) { wrap(root); return; }
  if (root.nodeType !== Node.ELEMENT_NODE || root.closest(NOT_HERE) || !root.textContent.includes("‹")) return;
  const texts = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode);
  texts.forEach(wrap);
};

const hide = (token) => {
  token.textContent = token.dataset.token;
  token.title = "Show what it stands for";
  delete token.dataset.shown;
};

const fail = (words) => {
  const box = sheet.querySelector(".error");
  box.textContent = words;
  box.hidden = !words;
};

const ask = (token) => {
  asking = token;
  sheet.querySelector("[name=token]").value = token.dataset.token;
  sheet.querySelector("[data-named]").textContent = token.dataset.token;
  fail("");
  sheet.showModal();
  sheet.querySelector("[name=reason]").select(); // the reason given before stays: it is often the same
};

const show = async (form) => {
  const token = asking;
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10000) });
  if (answer.redirected) { location.reload(); return; } // signed out meanwhile
  if (answer.status === 403) throw new Error("You may not see personal data.");
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail ?? `The server answered ${answer.status}.`);
  token.textContent = said.stands_for;
  token.title = `${token.dataset.token}. Hide it again`;
  token.dataset.shown = "";
  sheet.close();
};

/** Make tokens operable, now and in what comes later. Without the permission the page has no dialog, and tokens stay text. */
export const unmasking = () => {
  if (!sheet) return;
  const main = document.querySelector("#main");
  wrapAll(main);
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") wrap(change.target);
      else change.addedNodes.forEach((node) => { if (node.isConnected) wrapAll(node); });
    }
  }).observe(main, { childList: true, characterData: true, subtree: true });
  document.addEventListener("click", (event) => {
    const token = event.target.closest?.("button.token");
    if (!token) return;
    if ("shown" in token.dataset) hide(token); else ask(token);
  });
  sheet.querySelector("form[method=post]").addEventListener("submit", async (event) => {
    event.preventDefault();
    fail("");
    try { await show(event.target); } catch (error) { fail(error.name === "TimeoutError" ? "No answer in ten seconds. Try again." : error.message); }
  });
};
