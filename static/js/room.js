// Who is here, and what is said aloud: that somebody asked, and that an answer is there; not each word of it.
const said = (words) => { document.querySelector("#said").textContent = words; };

/** Show who has the page open. */
export const showPresent = (names) => {
  const node = document.querySelector("#present");
  node.textContent = names.length ? `Here now: ${names.join(", ")}` : "";
};

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** Say in one sentence, for a screen reader, what a message that has just come is. */
export const announce = (message) => {
  const author = message.querySelector("header b")?.textContent;
  if (message.getAttribute("aria-busy") === "true") return;
  if (message.dataset.from === "person") { said(`${author}: ${message.querySelector(":scope > p")?.textContent.slice(0, 120)}`); return; }
  const claims = message.querySelectorAll(".claim").length, struck = message.querySelectorAll('.claim[data-verdict="struck"]').length;
  const unsure = message.querySelectorAll('.claim[data-verdict="unverified"]').length;
  said(`Answer: ${[count(claims, "sentence"), unsure && `${unsure} not verified`, struck && `${struck} struck out`].filter(Boolean).join(", ")}`);
};
