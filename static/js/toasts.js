// A short message that the page itself has to say; gone by itself unless somebody is on it.
const SHOWN_MS = 8000;

/** Show words as a message that screen readers announce. */
export const toast = (words) => {
  const node = document.createElement("div");
  node.className = "toast";
  const said = document.createElement("span");
  said.textContent = words;
  const close = document.createElement("button");
  close.className = "btn ghost";
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  node.append(said, close);
  document.querySelector(".toasts")?.append(node);
  const leave = () => { if (node.matches(":hover, :focus-within")) setTimeout(leave, 2000); else node.remove(); };
  setTimeout(leave, SHOWN_MS);
};
