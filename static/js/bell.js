// The bell of every page: its number is read anew when something came, and when the connection was away for a while.
import { connect } from "./live.js";

const POLL_EVERY = 15000; // ms: only while there is no socket
const ring = () => window.htmx.trigger("#bell", "ring");

export const bell = () => {
  if (!document.querySelector("#bell")) return;
  let before = false;
  connect({ path: "/ws/bell/", opened: () => { if (before) ring(); before = true; }, received: ring, poll: ring, pollEvery: POLL_EVERY, quiet: true });
};
