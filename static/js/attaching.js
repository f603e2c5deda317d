// Files go out one request each, with how far each is, so that one that is refused keeps none of the others back.
const MOST = 32000000; // bytes as they are sent; the server's own limit

const line = (list, name) => {
  const item = document.createElement("li"), title = document.createElement("span"), words = document.createElement("span"), bar = document.createElement("progress");
  title.textContent = name;
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Attaching ${name}`);
  item.append(title, words, bar);
  list.append(item);
  return {
    at: (share) => { bar.value = share; words.textContent = share < 1 ? `${Math.round(share * 100)} %` : "masking and counting lines"; if (share >= 1) bar.removeAttribute("value"); },
    done: (said) => { bar.remove(); words.textContent = said; },
    failed: (why) => { bar.remove(); item.dataset.tone = "bad"; title.textContent = why; words.textContent = ""; },
  };
};

const upload = (url, file, shown) => new Promise((resolve, reject) => {
  if (file.size > MOST) { reject(new Error(`${file.name} has ${Math.round(file.size / 1e6)} MB; 32 MB are taken, or a gzip of it.`)); return; }
  const body = new FormData(), request = new XMLHttpRequest(); // fetch does not tell how far an upload is
  body.set("csrfmiddlewaretoken", document.querySelector("#composer [name=csrfmiddlewaretoken]").value);
  body.set("file", file);
  request.open("POST", url);
  request.setRequestHeader("X-Requested-With", "fetch");
  request.timeout = 120000;
  request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) shown.at(event.loaded / event.total); });
  request.upload.addEventListener("load", () => shown.at(1));
  request.addEventListener("load", () => {
    if (request.status === 201) resolve(request.responseText);
    else if (request.status === 409) reject(new Error(request.responseText));
    else if (request.status === 413) reject(new Error(`${file.name} is too large; 32 MB are taken, or a gzip of it.`));
    else if (request.responseURL && !request.responseURL.endsWith(url)) location.reload(); // signed out meanwhile
    else reject(new Error(`${file.name}: the server answered ${request.status}.`));
  });
  for (const [kind, words] of [["error", "the connection broke"], ["timeout", "no answer in two minutes"]]) request.addEventListener(kind, () => reject(new Error(`${file.name}: ${words}. Attach it again.`)));
  request.send(body);
});

const attach = async (input, files) => {
  const state = document.querySelector("#composer-state"), box = document.querySelector("#uploads"), list = document.createElement("ul");
  box.hidden = false;
  box.replaceChildren(list);
  let done = 0;
  for (const file of files) {
    const shown = line(list, file.name);
    try {
      shown.done(await upload(input.dataset.attach, file, shown));
      done += 1;
    } catch (error) { shown.failed(error.message); }
  }
  input.value = "";
  state.textContent = done ? `${done === 1 ? "The file is" : `${done} files are`} being read; what it shows comes into the evidence. Ask about it.` : "";
};

/** Say that what files show has come into the evidence. */
export const filesRead = () => {
  const state = document.querySelector("#composer-state");
  if (state?.textContent.includes("being read")) state.textContent = "Read: what the files show is in the evidence. Ask about it.";
};

/** Take files that are chosen or dropped onto the chat. */
export const attaching = () => {
  const input = document.querySelector("#composer [data-attach]"), box = document.querySelector("#chat");
  if (!input) return;
  input.addEventListener("change", () => attach(input, [...input.files]));
  box.addEventListener("dragover", (event) => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); box.dataset.dropping = ""; } });
  box.addEventListener("dragleave", (event) => { if (!box.contains(event.relatedTarget)) delete box.dataset.dropping; });
  box.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    delete box.dataset.dropping;
    attach(input, [...event.dataTransfer.files]);
  });
};
