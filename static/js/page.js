// What every page does: copy buttons, dismissible messages, growing durations, single-key shortcuts.
import { bell } from "./bell.js";
import { durations } from "./durations.js";
import { shortcuts } from "./keyboard.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-dismiss]");
  if (!button) return;
  if (button.hasAttribute("data-dismiss")) {
    button.closest(".toast").remove();
    return;
  }
  const words = button.querySelector("span") ?? button;
  const before = words.textContent;
  try {
    await navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent.trim());
    words.textContent = "Copied";
  } catch {
    // No clipboard outside https and localhost: select the text, so that the person's own keys can copy it.
    getSelection().selectAllChildren(document.querySelector(button.dataset.copy));
    words.textContent = "Selected: copy it with your keyboard";
  }
  setTimeout(() => { words.textContent = before; }, 2500);
});

bell();
durations();
shortcuts();
