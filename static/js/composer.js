// What is written but not sent: kept over a reload, sent in place, in a thread if it replies to something.
const key = () => `draft-${document.querySelector("#incident").dataset.incident}`;
const keep = (text) => { try { if (text) localStorage.setItem(key(), text); else localStorage.removeItem(key()); } catch { /* a browser that keeps nothing */ } };
const kept = () => { try { return localStorage.getItem(key()) ?? ""; } catch { return ""; } };

const state = (words) => { document.querySelector("#composer-state").textContent = words; };

/** Send a form in place; the rest comes over the stream. */
const send = async (form, submitter) => {
  const button = submitter ?? form.querySelector("button:not([type=button])"), isComposer = form.id === "composer";
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    const values = new FormData(form);
    if (submitter?.name) values.set(submitter.name, submitter.value);
    const answer = await fetch(form.action, { method: "POST", body: values, headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(10000) });
    if (answer.redirected) { location.reload(); return; } // signed out meanwhile
    if (!answer.ok) throw new Error(answer.status === 409 ? await answer.text() : `the server answered ${answer.status}.`);
    state(await answer.text());
    form.reset();
    if (!isComposer) return;
    keep("");
    reply(null);
    const log = document.querySelector("#messages");
    log.scrollTop = log.scrollHeight;
  } catch (error) {
    state(`Not sent: ${error.message}${isComposer ? " Your text is still here." : ""}`);
  } finally {
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
};

const reply = (message) => {
  const line = document.querySelector("#replying"), field = document.querySelector("#composer [name=reply_to]");
  if (!field) return;
  field.value = message?.dataset.message ?? "";
  line.hidden = !message;
  if (!message) return;
  line.querySelector("b").textContent = `${message.querySelector("header b").textContent}: ${(message.querySelector(":scope > p, .said")?.textContent ?? "").slice(0, 80)}`;
  document.querySelector("#question").focus();
};

/** Make the forms send in place; Enter sends, Shift Enter is a new line; a suggested question is one press. */
export const composing = () => {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-ask]")) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-reply-to], [data-no-reply]");
    if (button) reply(button.matches("[data-no-reply]") ? null : button.closest(".message"));
  });
  const composer = document.querySelector("#composer"), field = composer?.querySelector("textarea");
  if (!composer) return; // somebody who may read along only
  field.value ||= kept();
  field.addEventListener("input", () => keep(field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); composer.requestSubmit(); }
  });
  composer.addEventListener("click", (event) => {
    const prompt = event.target.closest?.("[data-prompt]");
    if (!prompt) return;
    field.value = prompt.dataset.prompt;
    composer.requestSubmit();
  });
};
