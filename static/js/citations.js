// From a chip to its evidence and back: the item is outlined and focused, and Back returns to the claim.
let outlined = null;

const outline = (id) => {
  outlined?.removeAttribute("data-cited");
  outlined = document.getElementById(id);
  if (!outlined?.classList.contains("evidence")) { outlined = null; return; }
  outlined.hidden = false;
  outlined.setAttribute("data-cited", "");
  outlined.focus({ preventScroll: true });
  outlined.scrollIntoView({ block: "start" });
};

const filter = (button) => {
  const kind = button.dataset.kindFilter;
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
  for (const card of document.querySelectorAll("#evidence .evidence")) card.hidden = Boolean(kind) && card.dataset.kind !== kind;
};

/** Follow chips, and filter the evidence by kind. */
export const citations = () => {
  document.addEventListener("click", (event) => {
    const chip = event.target.closest?.("a.eid[href^='#']");
    if (chip) {
      event.preventDefault();
      // The address gets the item, so that it can be shared and Back comes here again.
      history.pushState({ from: scrollY }, "", chip.getAttribute("href"));
      outline(chip.getAttribute("href").slice(1));
      return;
    }
    const button = event.target.closest?.("[data-kind-filter]");
    if (button) filter(button);
  });
  addEventListener("popstate", () => { if (location.hash) outline(location.hash.slice(1)); });
  if (location.hash) outline(location.hash.slice(1));
};
