// The list of incidents: fetched again when something changed, but never under somebody's finger.
import { connect } from "./live.js";

const board = () => document.querySelector("#board");
const isBusy = () => board().contains(document.activeElement) || scrollY > 120;
const refresh = () => window.htmx.trigger(board(), "refresh");

const changed = () => {
  const newer = document.querySelector("#newer");
  if (newer && isBusy()) newer.hidden = false;
  else refresh();
};

document.addEventListener("click", (event) => { if (event.target.closest?.("[data-refresh]")) refresh(); });
connect({ path: "/ws/incidents/", received: changed, poll: () => { if (!isBusy()) refresh(); } });
