// gallery.js in a notebook, under a histogram whose band one moves. HTML: that of the gallery, set before this.
const HEAD = `
  <div class="axis"><svg preserveAspectRatio="none" aria-hidden="true"></svg>
    <input type="range" data-end="0" aria-label="Lowest id_confidence kept"><input type="range" data-end="1" aria-label="Highest id_confidence kept">
  </div>
  <div class="ends"><span class="lo"></span><span>id_confidence (1 = looks ID, 0 = far away)<span class="legend"></span></span><span class="hi"></span></div>
  <div class="numbers">
    <span class="kept" aria-live="polite"></span>
    <button class="retrain" title="Trains the detector on what the band keeps and tests it. Minutes, in the background.">Retrain on this band</button>
    <span class="job" hidden><progress max="1"></progress> <span></span> <button class="cancel">Cancel</button></span>
    <span class="ended" role="status"></span>
  </div>
  <details><summary>Detectors retrained so far, on test images (one training each, so without an interval)</summary><table class="rows"></table></details>`;
const SETTLED = 150; // ms without a movement, after which the band counts as set
const HEIGHT = 100;

function drawn(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// steps over bins, each group as high as its largest share among all
function areas(histogram) {
  const groups = Object.values(histogram.groups);
  const top = 1.05 * Math.max(...groups.flatMap((group) => group.shares));
  return groups.map(({ colour, shares }) => {
    const steps = shares.map((share, bin) => `V${HEIGHT * (1 - share / top)}H${bin + 1}`).join("");
    return drawn("path", { class: "area", d: `M0 ${HEIGHT}${steps}V${HEIGHT}`, fill: colour, stroke: colour });
  });
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function render({ model, el }) {
  const frame = element("div", "badood");
  frame.dataset.lmSuppressShortcuts = "true"; // else Jupyter takes the grid's keys for its own
  frame.onkeydown = (event) => event.stopPropagation(); // and those of the slider
  frame.innerHTML = HEAD + HTML;
  el.append(frame);
  const find = (selector) => frame.querySelector(selector);
  const handles = [...frame.querySelectorAll(".axis input")];
  const histogram = model.get("histogram");
  const shows = Boolean(histogram.groups);
  for (const part of [".axis", ".ends", ".retrain", "details"]) find(part).hidden = !shows;

  let band = model.get("band");
  let timer;
  const inside = drawn("rect", { class: "inside", y: 0, height: HEIGHT });
  const bins = shows ? Object.values(histogram.groups)[0].shares.length : 1;
  const at = (value) => (bins * (value - histogram.lo)) / (histogram.hi - histogram.lo);
  const paintBand = () => {
    const [lo, hi] = band.map((value) => Math.min(bins, Math.max(0, at(value))));
    inside.setAttribute("x", lo);
    inside.setAttribute("width", Math.max(0, hi - lo));
    handles.forEach((handle, end) => (handle.value = band[end]));
    tell();
  };
  const tell = () => {
    const told = model.get("told");
    const limits = shows ? `Band ${band.map((value) => value.toFixed(histogram.digits)).join(" to ")}: ` : "";
    const alike = told.overlap === null ? "" : ` · ${percent(told.overlap)} of them look as much like ID as 95 % of ID validation images do`;
    find(".kept").textContent = `${limits}${told.kept.toLocaleString("en")} of ${told.of.toLocaleString("en")} outliers${alike}`;
    find(".retrain").disabled = !told.kept || Boolean(told.job);
    find(".job").hidden = !told.job;
    find(".job progress").value = told.job?.share ?? 0;
    find(".job span").textContent = told.job?.text ?? "";
    find(".ended").textContent = told.ended;
    const cells = (tag, texts) => {
      const row = element("tr");
      row.append(...texts.map((text) => element(tag, "", text)));
      return row;
    };
    find(".rows").replaceChildren(
      cells("th", ["filter", "outliers kept", "FPR95", "AUROC"]),
      ...told.rows.map((row) => cells("td", [row.filter, row.kept.toLocaleString("en"), percent(row.fpr95), percent(row.auroc)])),
    );
  };
  const rowsBefore = { count: model.get("told").rows.length };
  const retold = () => {
    const { rows } = model.get("told");
    if (rows.length > rowsBefore.count) find("details").open = true; // a new one is what a person waited for
    rowsBefore.count = rows.length;
    tell();
  };
  if (shows) {
    find("svg").setAttribute("viewBox", `0 0 ${bins} ${HEIGHT}`);
    find("svg").append(...areas(histogram), inside);
    find(".lo").textContent = histogram.lo;
    find(".hi").textContent = histogram.hi;
    for (const [name, { colour, count }] of Object.entries(histogram.groups)) {
      const dot = element("i");
      dot.style.setProperty("--edge", colour);
      find(".legend").append(dot, `${name} (${count.toLocaleString("en")})`);
    }
    handles.forEach((handle, end) => {
      // set first: a value is held inside the limits of its moment
      Object.assign(handle, { min: histogram.lo, max: histogram.hi, step: histogram.step });
      handle.oninput = () => {
        const moved = [...band];
        moved[end] = end ? Math.max(handle.valueAsNumber, band[0]) : Math.min(handle.valueAsNumber, band[1]);
        band = moved;
        paintBand();
        clearTimeout(timer);
        timer = setTimeout(() => {
          model.set("band", band);
          model.save_changes();
        }, SETTLED);
      };
    });
  }

  const named = (url) => model.get("images")[url] ?? "";
  const withImages = (tile) => ({ ...tile, url: named(tile.url), beside: tile.beside.map((each) => ({ ...each, url: named(each.url) })) });
  let over = () => {};
  const paintGrid = () => {
    over();
    const grid = model.get("grid");
    const near = Object.fromEntries(Object.entries(grid.near).map(([page, tiles]) => [page, tiles.map(withImages)]));
    over = gallery({ data: { ...grid, near }, parentElement: frame, setTriggerValue: (name, value) => model.send({ [name]: value }) });
  };
  find(".retrain").onclick = () => model.send({ do: "retrain" });
  find(".cancel").onclick = () => model.send({ do: "cancel" });
  const rebanded = () => {
    band = model.get("band");
    paintBand();
  };
  model.on("change:grid", paintGrid);
  model.on("change:told", retold);
  model.on("change:band", rebanded);
  paintBand();
  paintGrid();
  return () => {
    over();
    clearTimeout(timer);
    model.off("change:grid", paintGrid);
    model.off("change:told", retold);
    model.off("change:band", rebanded);
  };
}

export default { render };
