// Colours for a canvas. Tokens are light-dark(): only a used value is a colour that the canvas knows.

/** Read the tokens with these names as they are in the page's theme now, and the font of chart ticks as `font`. */
export const readColours = (names) => {
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  const value = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const found = Object.fromEntries(names.map((name) => [name, value(name)]));
  probe.style.fontFamily = "var(--mono)";
  found.font = `11px ${getComputedStyle(probe).fontFamily}`;
  probe.remove();
  return found;
};
