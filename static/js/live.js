// A page's live connection: a socket that says what is new, and reading it by HTTP while the socket is down.
const FIRST_WAIT = 500, LONGEST_WAIT = 15000, POLL_EVERY = 3000;
const SIGNED_OUT = 4401, NOT_ALLOWED = 4403;

const address = (path) => `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;

const show = (state, words, quiet) => {
  if (quiet) return;
  const node = document.querySelector("#live");
  if (!node || (node.dataset.state === state && node.textContent === words)) return;
  node.dataset.state = state;
  node.textContent = words;
};

/**
 * Keep a socket open. `opened(socket)` is called on each connection, `received(data)` for each frame, `poll()` every few seconds while
 * there is no socket. Waits between attempts double up to 15 s, with some chance in them so that pages do not return all at once.
 * A `quiet` one leaves the line at the top to the page's own socket.
 */
export const connect = ({ path, opened, received, poll, pollEvery = POLL_EVERY, quiet = false }) => {
  let wait = FIRST_WAIT, polling = 0, retry = 0, socket = null;
  const startPolling = () => { polling ||= setInterval(() => { if (!document.hidden) poll?.(); }, pollEvery); };
  const open = () => {
    clearTimeout(retry);
    if (socket && socket.readyState <= WebSocket.OPEN) return;
    const current = new WebSocket(address(path));
    socket = current;
    current.addEventListener("open", () => {
      wait = FIRST_WAIT;
      clearInterval(polling);
      polling = 0;
      show("live", "Live", quiet);
      opened?.(current);
    });
    current.addEventListener("message", (event) => received(JSON.parse(event.data)));
    current.addEventListener("close", (event) => {
      if (socket !== current) return;
      if (event.code === SIGNED_OUT) { show("down", "Signed out", quiet); location.reload(); return; }
      if (event.code === NOT_ALLOWED) { show("down", "No longer allowed", quiet); if (!quiet) location.reload(); return; }
      show("reconnecting", poll ? "Reconnecting, reading every 3 s" : "Reconnecting", quiet);
      startPolling();
      retry = setTimeout(open, wait * (0.75 + Math.random() / 2));
      wait = Math.min(LONGEST_WAIT, wait * 2);
    });
  };
  addEventListener("online", open);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) open(); });
  open();
};

/** Follow an incident's numbered events: each is handled once, in order, whichever way it comes. */
export const follow = ({ path, eventsPath, after, handle, present }) => {
  let last = after, reading = false;
  const take = ({ events, present: names }) => {
    if (names) { present?.(names); return; }
    for (const event of events) {
      if (event.number <= last) continue;
      last = event.number;
      handle(event);
    }
  };
  const read = async () => {
    if (reading) return;
    reading = true;
    try {
      const answer = await fetch(`${eventsPath}?after=${last}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(8000) });
      if (answer.redirected) location.reload();
      else if (answer.ok) take(await answer.json());
    } catch (error) {
      show("down", `No connection (${error.name})`);
    } finally {
      reading = false;
    }
  };
  connect({ path, opened: (socket) => socket.send(JSON.stringify({ after: last })), received: take, poll: read });
};
