// The slider above the timeline: the page as it was known at any minute. The address keeps the minute.
import { Idiomorph } from "../vendor/idiomorph/idiomorph.esm.js";
import { charts } from "./charts.js";

const MINUTE = 60000, WAIT = 120;
let due = 0, asked = 0;

const isoOf = (form, minute) => new Date(Date.parse(form.dataset.first) + minute * MINUTE).toISOString().replace(".000Z", "Z");

// What a script has drawn or a person has opened is not in what the server sends: a chart is drawn anew, the slider stays under the finger.
const callbacks = {
  beforeNodeMorphed: (old, fresh) => {
    if (!old.matches?.("figure[data-chart]")) return true;
    old.replaceWith(fresh.cloneNode(true));
    return false;
  },
};

const take = (part, answer) => {
  const fresh = new DOMParser().parseFromString(answer, "text/html").getElementById(part.id);
  Idiomorph.morph(part, fresh, { ignoreActiveValue: true, callbacks });
  window.htmx.process(part); // a live update asks for the minute that is shown
  charts(part);
};

const read = async (address) => {
  const answer = await fetch(address, { signal: AbortSignal.timeout(8000) });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.text();
};

const show = async (form, slider) => {
  const turn = ++asked;
  const query = slider.value === slider.max ? "" : `?at=${isoOf(form, Number(slider.value))}`;
  history.replaceState(null, "", `${location.pathname}${query}${location.hash}`);
  const paths = document.getElementById("incident").dataset.parts.split(" ");
  const answers = await Promise.all(paths.map((path) => read(path + query)));
  if (turn === asked) for (const [i, path] of paths.entries()) take(document.getElementById(path.split("/").at(-2)), answers[i]);
};

const moved = (slider) => {
  const form = slider.form;
  const words = slider.value === slider.max ? "Now" : `${isoOf(form, Number(slider.value)).slice(11, 16)} UTC`;
  slider.setAttribute("aria-valuetext", words);
  clearTimeout(due);
  due = setTimeout(() => show(form, slider).catch((error) => { document.getElementById("then").textContent = `Could not be read (${error.message}). Move it again.`; }), WAIT);
};

const to = (value) => {
  const slider = document.querySelector("#replay-minute");
  slider.value = value;
  moved(slider);
};

/** Let the slider, its buttons and the links back work without leaving the page. */
export const replay = () => {
  document.addEventListener("input", (event) => { if (event.target.id === "replay-minute") moved(event.target); });
  document.addEventListener("click", (event) => {
    const step = event.target.closest?.("[data-replay] [data-step]"), back = event.target.closest?.("[data-now]");
    if (step) to(Number(document.querySelector("#replay-minute").value) + Number(step.dataset.step));
    if (back) { event.preventDefault(); to(document.querySelector("#replay-minute").max); }
  });
};
