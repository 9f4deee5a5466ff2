const MARKS = { keep: "✓ keep", reject: "✕ reject", unsure: "? unsure" };
const KEYS = { k: "keep", r: "reject", u: "unsure" };

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  return made;
}

function picture(url, alt) {
  const image = element("img");
  image.src = url;
  image.alt = alt;
  image.decoding = "async";
  image.draggable = false;
  return image;
}

function drawTile(tile) {
  const button = element("button", "tile");
  const label = [`Outlier ${tile.id}: ${tile.caption}`, tile.mark && `id_confidence ${tile.mark}`, tile.kind].filter(Boolean).join(", ");
  button.dataset.id = tile.id;
  button.title = label;
  button.setAttribute("role", "option");
  button.setAttribute("aria-label", label);
  button.style.setProperty("--edge", tile.colour);
  const frame = element("span", "frame");
  frame.append(picture(tile.url, label), ...(tile.mark ? [element("span", "mark", tile.mark)] : []), element("span", "verdict"));
  button.append(frame);
  if (tile.anchor) {
    const anchor = element("img", "anchor");
    anchor.alt = "its anchor";
    anchor.dataset.src = tile.anchor;
    button.append(anchor);
  }
  button.append(element("span", "caption", tile.caption));
  return button;
}

// a browser asks for six images at a time: anchors, which may have to be rendered first, and the next page must not hold the outliers up
function loadRest(tiles, next) {
  const loaded = [...tiles.querySelectorAll(".frame img")].map((image) => image.decode().catch(() => {}));
  Promise.all(loaded).then(() => {
    for (const anchor of tiles.querySelectorAll(".anchor")) anchor.src = anchor.dataset.src;
    next.forEach((tile) => (new Image().src = tile.url));
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  // what must outlive a redraw lies on the element: the component is called anew with all new data
  const at = (root.at ??= { selected: new Set(), cursor: 0, from: 0, shown: "", ahead: "", tiles: [], page: 0, turned: 0 });
  const tiles = root.querySelector(".tiles");
  const verdicts = new Map(Object.values(data.near).flat().map((tile) => [tile.id, tile.verdict]));

  const show = () => {
    const known = data.near[at.page];
    if (!known) return; // not here yet
    at.tiles = known;
    const shown = JSON.stringify(known.map((tile) => [tile.id, tile.url, tile.anchor]));
    const next = data.near[at.page + 1] ?? [];
    const ahead = next.map((tile) => tile.url).join();
    const rest = shown !== at.shown || ahead !== at.ahead;
    if (shown !== at.shown) {
      const focused = tiles.contains(parentElement.activeElement);
      at.shown = shown;
      at.selected.clear();
      at.cursor = Math.max(0, Math.min(at.cursor, known.length - 1));
      tiles.replaceChildren(...known.map(drawTile));
      if (focused && tiles.children.length) tiles.children[at.cursor].focus();
    }
    if (rest) loadRest(tiles, next);
    at.ahead = ahead;
  };
  // drawn before the last turn was heard of: the page turned to stands, not the one named here
  if (data.heard >= at.turned) at.page = data.page;
  show();

  const legend = root.querySelector(".kinds");
  legend.replaceChildren(...Object.entries(data.kinds).map(([name, colour]) => {
    const kind = element("span", "kind", name);
    kind.prepend(element("i"));
    kind.style.setProperty("--edge", colour);
    return kind;
  }));

  const number = root.querySelector("input");
  const paint = () => {
    [...tiles.children].forEach((tile, place) => {
      const id = Number(tile.dataset.id);
      const verdict = verdicts.get(id) || "";
      const badge = tile.querySelector(".verdict");
      tile.setAttribute("aria-selected", at.selected.has(id));
      tile.tabIndex = place === at.cursor ? 0 : -1;
      badge.dataset.is = verdict;
      badge.textContent = MARKS[verdict] || "";
    });
    const one = at.selected.size ? "" : "none selected";
    root.querySelector(".count").textContent = one || `${at.selected.size} selected`;
    for (const button of root.querySelectorAll("[data-needs]")) button.disabled = !at.selected.size;
    root.querySelector("[data-do=undo]").disabled = !data.undoable;
    root.querySelector("[data-do=back]").disabled = at.page <= 1;
    root.querySelector("[data-do=next]").disabled = at.page >= data.last;
    root.querySelector(".last").textContent = data.last.toLocaleString("en");
    number.max = data.last;
    number.value = at.page;
  };

  const idAt = (place) => at.tiles[place]?.id;
  const send = (name, value) => {
    const now = Date.now();
    setTriggerValue(name, { ...value, at: now });
    return now;
  };
  const judge = (verdict) => {
    const one = !at.selected.size;
    const ids = one ? [idAt(at.cursor)] : [...at.selected];
    if (ids[0] === undefined) return;
    ids.forEach((id) => verdicts.set(id, verdict));
    send("judged", { verdict, ids });
    at.selected.clear();
    if (one) go(at.cursor + 1);
    paint();
  };
  const turn = (page) => {
    if (!(page >= 1 && page <= data.last) || page === at.page) return;
    at.page = page;
    at.turned = send("turned", { page });
    show();
  };
  const open = (place) => idAt(place) !== undefined && send("opened", { id: idAt(place) });
  const go = (place) => {
    at.cursor = Math.max(0, Math.min(place, at.tiles.length - 1));
    paint();
    tiles.children[at.cursor]?.focus();
  };
  const range = (to) => {
    for (let place = Math.min(at.from, to); place <= Math.max(at.from, to); place++) at.selected.add(idAt(place));
  };
  const toggle = (place) => {
    const id = idAt(place);
    at.selected.has(id) ? at.selected.delete(id) : at.selected.add(id);
    at.from = place;
  };
  const across = () => getComputedStyle(tiles).gridTemplateColumns.split(" ").length;
  const actions = {
    page: () => at.tiles.forEach((tile) => at.selected.add(tile.id)),
    clear: () => at.selected.clear(),
    undo: () => data.undoable && send("undone", {}),
    open: () => open(at.cursor),
    back: () => turn(at.page - 1),
    next: () => turn(at.page + 1),
  };

  root.onclick = (event) => {
    const action = event.target.closest("[data-do]")?.dataset.do;
    if (action) {
      actions[action] ? actions[action]() : judge(action);
      return paint();
    }
    const tile = event.target.closest(".tile");
    if (!tile) return;
    at.cursor = [...tiles.children].indexOf(tile);
    event.shiftKey ? range(at.cursor) : toggle(at.cursor);
    tile.focus();
    paint();
  };
  root.ondblclick = (event) => {
    const tile = event.target.closest(".tile");
    if (tile) open([...tiles.children].indexOf(tile));
  };
  number.onchange = () => {
    turn(Math.round(Math.min(Math.max(number.valueAsNumber || at.page, 1), data.last)));
    paint();
  };
  root.onkeydown = (event) => {
    if (event.target === number) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const inTiles = Boolean(event.target.closest(".tile"));
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across(), ArrowUp: -across() };
    if ((event.ctrlKey || event.metaKey) && key !== "a" && key !== "z") return;
    if (KEYS[key]) judge(KEYS[key]);
    else if (key === "z") actions.undo();
    else if (key === "a") actions.page();
    else if (key === "Escape") actions.clear();
    else if (key === "PageUp") actions.back();
    else if (key === "PageDown") actions.next();
    else if (inTiles && key in steps) {
      go(at.cursor + steps[key]);
      if (event.shiftKey) range(at.cursor);
      else at.from = at.cursor;
    } else if (inTiles && key === " ") toggle(at.cursor);
    else if (inTiles && key === "Enter") open(at.cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
    paint();
  };
  // the focus is elsewhere, say after a click beside the tiles: what needs no cursor works all the same, unless a person types there
  const heard = (event) => {
    const path = event.composedPath();
    if (path.includes(root) || path[0].closest?.("input, textarea, [contenteditable], [role=dialog]")) return;
    const key = event.key.toLowerCase();
    if (key === "z" || ((KEYS[key] || key === "escape") && at.selected.size)) root.onkeydown(event);
  };
  at.deaf?.();
  addEventListener("keydown", heard, true); // before Streamlit's own R, which reruns the page
  at.deaf = () => removeEventListener("keydown", heard, true);
  paint();
  return () => at.deaf();
}
