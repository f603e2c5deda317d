// What an answer looks up while it is written: a line for each step, those of one turn together, and what people say meanwhile.
import { chips, element, icon, isThere, whenThere } from "./chat.js";

const STATES = { running: ["more", "Looking"], done: ["check", "Found"], nothing: ["question", "Nothing there"], refused: ["cross", "Refused"], failed: ["warn", "Failed"] };
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

const line = ({ number, said, state, reason, cites, seconds }) => {
  const [mark, word] = STATES[state] ?? STATES.failed;
  const item = element("li");
  item.dataset.step = number;
  item.dataset.state = state;
  const body = element("span");
  body.append(element("span", { className: "sr", text: `${word}: ` }), said);
  if (cites?.length) body.append(" ", chips(cites));
  if (reason) body.append(element("span", { className: "why", text: `${word}: ${reason}` }));
  const small = icon(mark);
  small.classList.add("s");
  item.append(small, body, element("span", { className: "faint", text: seconds >= 0.1 ? `${seconds.toFixed(1)} s` : "" }));
  return item;
};

const turnOf = (box, number) => {
  const found = box.querySelector(`[data-turn="${Number(number)}"]`);
  if (found) return found;
  const turn = element("li"), plan = element("p", { className: "plan" }), together = element("p", { className: "faint together", text: "At the same time:" });
  turn.dataset.turn = number;
  plan.hidden = together.hidden = true;
  plan.append(element("span", { className: "faint", text: "Plan, not checked:" }), " ", element("span"));
  plan.lastChild.dataset.plan = "";
  turn.append(plan, together, element("ul"));
  box.querySelector(".turns").append(turn);
  return turn;
};

const show = (node, step) => {
  const box = node.querySelector(".looked");
  if (!box || node.getAttribute("aria-busy") !== "true") return;
  box.hidden = false;
  const turn = turnOf(box, step.turn), list = turn.querySelector("ul");
  if (step.plan) {
    turn.querySelector(".plan").hidden = false;
    turn.querySelector("[data-plan]").textContent = step.plan;
  }
  const same = list.querySelector(`[data-step="${Number(step.number)}"]`);
  if (same) same.replaceWith(line(step));
  else list.append(line(step));
  turn.querySelector(".together").hidden = list.children.length < 2;
  const refused = box.querySelectorAll('[data-state="refused"]').length;
  box.querySelector("[data-looked]").textContent =
    `${plural(box.querySelectorAll("[data-step]").length, "thing")} in ${plural(box.querySelectorAll("[data-turn]").length, "turn")}${refused ? `, ${refused} refused` : ""}`;
};

const steered = (node, { author, text, steering }) => {
  const box = node.querySelector(".looked"), list = box?.querySelector(".steered");
  if (!list || node.getAttribute("aria-busy") !== "true" || list.querySelector(`[data-steering="${Number(steering)}"]`)) return;
  box.hidden = false;
  const item = element("li");
  item.dataset.steering = steering;
  item.append(element("b", { text: author }), text ? ` steers: ${text}` : " stopped it");
  list.append(item);
};

/** Return what handles an investigation's events, given the path of one message with the id 0. */
export const stepEvents = (path) => ({
  "answer.investigates": ({ message }) => whenThere(path, message, (node) => node.querySelector(".steer")?.removeAttribute("hidden")),
  "answer.step": (step) => { isThere(step.cites); whenThere(path, step.message, (node) => show(node, step)); },
  "answer.steered": (said) => whenThere(path, said.message, (node) => steered(node, said)),
});
