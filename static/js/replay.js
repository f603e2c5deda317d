// The slider above the timeline: what was known at any minute. The address keeps the minute.
const MINUTE = 60000, WAIT = 120;
let due = 0, asked = 0;

const isoOf = (form, minute) => new Date(Date.parse(form.dataset.first) + minute * MINUTE).toISOString().replace(".000Z", "Z");

const show = async (form, slider) => {
  const isNow = slider.value === slider.max, at = isoOf(form, Number(slider.value)), turn = ++asked;
  const query = isNow ? "" : `?at=${at}`;
  history.replaceState(null, "", `${location.pathname}${query}${location.hash}`);
  const answer = await fetch(form.dataset.part + query, { signal: AbortSignal.timeout(8000) });
  if (!answer.ok || turn !== asked) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["then", "moments"]) document.getElementById(id)?.replaceChildren(...fresh.getElementById(id).childNodes);
  // A live update asks for the minute that is shown.
  const section = document.getElementById("timeline");
  section.setAttribute("hx-get", form.dataset.part + query);
  window.htmx.process(section);
};

const moved = (slider) => {
  const form = slider.form;
  const words = slider.value === slider.max ? "Now" : `${isoOf(form, Number(slider.value)).slice(11, 16)} UTC`;
  slider.setAttribute("aria-valuetext", words);
  clearTimeout(due);
  due = setTimeout(() => show(form, slider).catch((error) => { document.getElementById("then").textContent = `Could not be read (${error.name}). Move it again.`; }), WAIT);
};

const to = (value) => {
  const slider = document.querySelector("#replay-minute");
  slider.value = value;
  moved(slider);
};

/** Let the slider, its buttons and the link back work without leaving the page. */
export const replay = () => {
  document.addEventListener("input", (event) => { if (event.target.id === "replay-minute") moved(event.target); });
  document.addEventListener("click", (event) => {
    const step = event.target.closest?.("[data-replay] [data-step]"), back = event.target.closest?.("[data-now]");
    if (step) to(Number(document.querySelector("#replay-minute").value) + Number(step.dataset.step));
    if (back) { event.preventDefault(); to(document.querySelector("#replay-minute").max); }
  });
};
