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

// beside an outlier that is shown alone: its anchor, the training image nearest to it
function beside({ url, text }) {
  const figure = element("span", "beside");
  const image = element("img");
  image.alt = text;
  image.dataset.src = url;
  figure.append(image, element("span", "caption", text));
  return figure;
}

function drawTile(tile, alone, marks) {
  const button = element("button", "tile");
  const label = [`Outlier ${tile.id}: ${tile.caption}`, tile.mark && `${marks} ${tile.mark}`, tile.kind].filter(Boolean).join(", ");
  button.dataset.id = tile.id;
  button.title = label;
  button.setAttribute("role", "option");
  button.setAttribute("aria-label", label);
  button.style.setProperty("--edge", tile.colour);
  const frame = element("span", "frame");
  frame.append(picture(tile.url, label), ...(tile.mark ? [element("span", "mark", tile.mark)] : []), element("span", "verdict"));
  button.append(frame);
  if (alone) button.append(...tile.beside.map(beside));
  else if (tile.anchor) {
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

const AGAIN = 1500; // ms after which what was not heard is told again
const AT_ONCE = 200; // acts a message
const NOW = Infinity; // the moment of what the next message tells first

// Acts that nobody has written down yet, in order, and the name of this tab: both outlive a reload.
function shelf(name, fresh) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? fresh;
  } catch {
    return fresh;
  }
}

function unique() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// parentElement: holds the HTML. setTriggerValue("told", message): told what a person does. Returns what ends it.
function gallery({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".gallery");
  // what must outlive a redraw lies on the element: the component is called anew with all new data
  const at = (root.at ??= { selected: new Set(), cursor: 0, from: 0, shown: "", ahead: "", tiles: [], page: 0, told: 0, turned: 0, asked: 0 });
  const tiles = root.querySelector(".tiles");
  const inOrder = () => [...tiles.querySelectorAll(".tile")];
  const sheet = root.querySelector("dialog");
  const toggleSheet = () => (sheet.open ? sheet.close() : sheet.show());
  const verdicts = new Map(Object.values(data.near).flat().map((tile) => [tile.id, tile.verdict]));

  const out = (at.out ??= shelf(data.shelf, { browser: data.browser, acts: [] }));
  const keep = () => {
    try {
      sessionStorage.setItem(data.shelf, JSON.stringify(out));
    } catch {} // full or forbidden: the acts live as long as the page does
  };
  out.acts = out.acts.filter((act) => !data.written.includes(act.id));
  keep();
  for (const act of out.acts) if (act.verdict) act.ids.forEach((id) => verdicts.set(id, act.verdict));
  // A message may take the place of an earlier one that nobody has heard yet, so each holds all that is still unheard.
  if (data.heard >= at.told) at.told = 0; // heard: the next one may go
  const unheard = (moment) => moment > data.heard;
  const tell = () => {
    at.told = Math.max(Date.now(), data.heard + 1);
    at.named = true;
    if (at.turned === NOW) at.turned = at.told;
    if (at.asked === NOW) at.asked = at.told;
    const page = unheard(at.turned) ? at.page : null;
    const asked = unheard(at.asked) ? at.wish : null;
    setTriggerValue("told", { browser: out.browser, acts: out.acts.slice(0, AT_ONCE), page, asked, at: at.told });
  };
  const pump = () => {
    const nameless = out.browser !== data.browser && !at.named;
    if ((out.acts.length || nameless || unheard(at.turned) || unheard(at.asked)) && Date.now() - at.told >= AGAIN) tell();
  };
  const act = (verdict, ids) => {
    out.acts.push({ id: `${out.browser}:${unique()}`, run: data.run, ids, verdict });
    keep();
    pump();
  };

  // what was judged out of the list goes at once, and the next ones move up
  const listed = () => {
    const page = data.near[at.page];
    if (!page || !data.staying) return page;
    const gone = new Set(out.acts.flatMap((act) => (act.verdict && !data.staying.includes(act.verdict) ? act.ids : [])));
    return [...page, ...(data.near[at.page + 1] ?? [])].filter((tile) => !gone.has(tile.id)).slice(0, page.length);
  };

  const show = () => {
    const known = listed();
    at.tiles = known ?? [];
    if (!known) return; // not here yet
    const shown = JSON.stringify([data.alone, known.map((tile) => [tile.id, tile.url, tile.anchor, tile.mark, tile.group, tile.colour])]);
    const next = data.near[at.page + 1] ?? [];
    const ahead = next.map((tile) => tile.url).join();
    const rest = shown !== at.shown || ahead !== at.ahead;
    if (shown !== at.shown) {
      const focused = tiles.contains(root.getRootNode().activeElement);
      at.shown = shown;
      at.selected.clear();
      const place = known.findIndex((tile) => tile.id === at.under); // the cursor stays on its outlier where others left the list
      at.cursor = Math.max(0, Math.min(place < 0 ? at.cursor : place, known.length - 1));
      at.under = known[at.cursor]?.id;
      tiles.replaceChildren(
        ...known.flatMap((tile, place) => [
          ...(tile.group && tile.group !== known[place - 1]?.group && !data.alone ? [element("h4", "group", tile.group)] : []),
          drawTile(tile, data.alone, data.marks),
        ]),
      );
      inOrder()[at.cursor]?.classList.add("current"); // what is not shown cannot take the focus
      if (focused) inOrder()[at.cursor]?.focus();
    }
    if (rest) loadRest(tiles, next);
    at.ahead = ahead;
  };
  // drawn before the last turn was heard of: the page turned to stands, not the one named here
  if (!unheard(at.turned)) at.page = data.page;
  show();

  const legend = root.querySelector(".kinds");
  legend.replaceChildren(...Object.entries(data.kinds).map(([name, colour]) => {
    const kind = element("span", "kind", name);
    kind.prepend(element("i"));
    kind.style.setProperty("--edge", colour);
    return kind;
  }));

  const number = root.querySelector("input");
  const undoable = () => data.undoable || out.acts.some((act) => act.verdict);
  const paint = () => {
    inOrder().forEach((tile, place) => {
      const id = Number(tile.dataset.id);
      const verdict = verdicts.get(id) || "";
      const badge = tile.querySelector(".verdict");
      tile.setAttribute("aria-selected", at.selected.has(id));
      tile.tabIndex = place === at.cursor ? 0 : -1;
      badge.dataset.is = verdict;
      badge.textContent = MARKS[verdict] || "";
      tile.classList.toggle("current", place === at.cursor);
      // the pictures beside it, and beside the next ones
      if (data.alone && place >= at.cursor && place < at.cursor + 4)
        for (const image of tile.querySelectorAll(".beside img:not([src])")) image.src = image.dataset.src;
    });
    root.classList.toggle("alone", data.alone);
    if (data.alone && !at.alone) root.scrollIntoView(); // the large image needs the room of the filters
    at.alone = data.alone;
    root.style.setProperty("--side", `${data.side}px`);
    for (const button of root.querySelectorAll("[data-judges]")) button.hidden = !data.judges;
    root.querySelector("[data-do=like]").hidden = !data.asks.includes("like");
    const under = at.tiles[at.cursor];
    const place = `${((at.page - 1) * data.size + at.cursor + 1).toLocaleString("en")} of ${data.count.toLocaleString("en")}`;
    root.querySelector(".place").textContent = data.alone && under ? [place, under.caption, under.kind].filter(Boolean).join(" · ") : "";
    root.querySelector(".saving").textContent = out.acts.length ? `saving ${out.acts.length.toLocaleString("en")}` : "";
    const one = at.selected.size ? "" : "none selected";
    root.querySelector(".count").textContent = one || `${at.selected.size} selected`;
    for (const button of root.querySelectorAll("[data-needs]")) button.disabled = !at.selected.size;
    root.querySelector("[data-do=undo]").disabled = !undoable();
    root.querySelector("[data-do=back]").disabled = at.page <= 1;
    root.querySelector("[data-do=next]").disabled = at.page >= data.last;
    root.querySelector(".last").textContent = data.last.toLocaleString("en");
    number.max = data.last;
    number.value = at.page;
  };

  const idAt = (place) => at.tiles[place]?.id;
  const judge = (verdict) => {
    if (!data.judges) return;
    const one = !at.selected.size;
    const ids = one ? [idAt(at.cursor)] : [...at.selected];
    if (ids[0] === undefined) return;
    ids.forEach((id) => verdicts.set(id, verdict));
    const leaves = data.staying && !data.staying.includes(verdict);
    const last = at.cursor >= at.tiles.length - 1;
    at.selected.clear();
    if (leaves) at.under = idAt(at.cursor + 1);
    act(verdict, ids);
    if (leaves) show();
    else if (one && last) turn(at.page + 1, 0);
    else if (one) go(at.cursor + 1);
    paint();
  };
  const turn = (page, cursor = at.cursor) => {
    if (!(page >= 1 && page <= data.last) || page === at.page) return;
    at.page = page;
    at.cursor = cursor;
    at.under = undefined;
    at.turned = NOW;
    tell();
    show();
  };
  const ask = (what, place) => {
    if (idAt(place) === undefined || !data.asks.includes(what)) return;
    at.wish = { what, id: idAt(place) };
    at.asked = NOW;
    tell();
  };
  const go = (place) => {
    at.cursor = Math.max(0, Math.min(place, at.tiles.length - 1));
    at.under = idAt(at.cursor);
    paint();
    inOrder()[at.cursor]?.focus();
  };
  const range = (to) => {
    for (let place = Math.min(at.from, to); place <= Math.max(at.from, to); place++) at.selected.add(idAt(place));
  };
  const toggle = (place) => {
    const id = idAt(place);
    at.selected.has(id) ? at.selected.delete(id) : at.selected.add(id);
    at.from = place;
  };
  const across = () => (data.alone ? 1 : getComputedStyle(tiles).gridTemplateColumns.split(" ").length);
  const actions = {
    page: () => at.tiles.forEach((tile) => at.selected.add(tile.id)),
    clear: () => at.selected.clear(),
    undo: () => data.judges && undoable() && act(null, []),
    open: () => ask("open", at.cursor),
    like: () => ask("like", at.cursor),
    keys: () => toggleSheet(),
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
    at.cursor = inOrder().indexOf(tile);
    at.under = idAt(at.cursor);
    event.shiftKey ? range(at.cursor) : toggle(at.cursor);
    tile.focus();
    paint();
  };
  root.removeEventListener("focusin", at.focused);
  at.focused = (event) => {
    const place = inOrder().indexOf(event.target.closest(".tile"));
    if (place < 0) return;
    at.cursor = place;
    at.under = idAt(place);
  };
  root.addEventListener("focusin", at.focused);
  root.ondblclick = (event) => {
    const tile = event.target.closest(".tile");
    if (tile) ask("open", inOrder().indexOf(tile));
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
    if (sheet.open && key === "Escape") toggleSheet();
    else if (key === "?") toggleSheet();
    else if (KEYS[key]) judge(KEYS[key]);
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
    else if (inTiles && key === "Enter") actions.open();
    else if (inTiles && key === "m") actions.like();
    else return;
    event.preventDefault();
    event.stopPropagation();
    paint();
  };
  clearInterval(at.timer);
  at.timer = setInterval(pump, 300);
  paint();
  pump();
  return () => clearInterval(at.timer);
}
