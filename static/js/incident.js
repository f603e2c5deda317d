// An incident's page: what is live about it.
import { attaching, filesRead } from "./attaching.js";
import { charts } from "./charts.js";
import { chat, chatEvents } from "./chat.js";
import { citations } from "./citations.js";
import { composing } from "./composer.js";
import { follow } from "./live.js";
import { replay } from "./replay.js";
import { showPresent } from "./room.js";
import { stepEvents } from "./steps.js";
import { unmasking } from "./unmasking.js";

const root = document.querySelector("#incident");
// A part in which somebody types is left alone until they are done: the page would throw their words away.
const isTyping = (part) => { const field = document.activeElement; return part.contains(field) && field.matches("input:not([type=range]), textarea") && field.value; };
const refresh = (...names) => {
  for (const part of names.map((name) => document.getElementById(name))) if (part && !isTyping(part)) window.htmx.trigger(part, "refresh");
};

const talk = chatEvents(root.dataset.messages);
const handlers = {
  ...talk,
  ...stepEvents(root.dataset.messages),
  // What is worth asking next depends on what was asked.
  "answer.done": (payload) => { talk["answer.done"](payload); refresh("prompts"); },
  "investigation.ready": () => { refresh("verdict", "explanation", "prompts"); filesRead(); },
  "incident.changed": () => refresh("verdict", "explanation", "timeline", "response"),
  "timeline.added": () => refresh("timeline"),
};

// The section link of what is on screen.
const sections = () => {
  const links = [...document.querySelectorAll(".tabs a[href^='#']:not(.to-chat)")];
  const shown = links.filter((link) => (document.querySelector(link.hash)?.getBoundingClientRect().top ?? Infinity) < innerHeight * 0.4);
  const here = shown.sort((a, b) => document.querySelector(b.hash).getBoundingClientRect().top - document.querySelector(a.hash).getBoundingClientRect().top)[0] ?? links[0];
  for (const link of links) if (link === here) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
};

let waiting = 0;
addEventListener("scroll", () => { waiting ||= requestAnimationFrame(() => { waiting = 0; sections(); }); }, { passive: true });

charts();
citations();
chat();
composing();
attaching();
replay();
unmasking();
document.body.addEventListener("htmx:afterSettle", (event) => { if (event.target.isConnected) charts(event.target); });
// Asking for an answer needs evidence: the button wakes up with it.
document.body.addEventListener("htmx:afterSwap", () => {
  if (document.querySelector("#evidence:not([aria-busy])")) document.querySelector("#chat header button")?.removeAttribute("disabled");
});
follow({
  path: root.dataset.socket,
  eventsPath: root.dataset.events,
  after: Number(root.dataset.after),
  present: showPresent,
  handle: ({ kind, payload }) => handlers[kind]?.(payload),
});
