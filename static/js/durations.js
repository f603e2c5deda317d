// Durations that grow while one looks: <b data-since="ISO time">. Silent for screen readers, since nothing announces them.
const inWords = (seconds) => {
  const hours = Math.floor(seconds / 3600), minutes = Math.floor((seconds % 3600) / 60), rest = Math.floor(seconds % 60);
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
};

const tick = () => {
  for (const node of document.querySelectorAll("[data-since]")) {
    const seconds = (Date.now() - Date.parse(node.dataset.since)) / 1000;
    const text = inWords(Math.max(0, seconds));
    if (node.textContent !== text) node.textContent = text;
  }
};

/** Start the clock; it stands still while the page is hidden. */
export const durations = () => {
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
};
