
// gallery.js on a page of Streamlit: the focus may be elsewhere, say after a click beside the tiles. What needs no cursor works all the
// same, unless a person types there
export default function (component) {
  const root = component.parentElement.querySelector(".gallery");
  const over = gallery(component);
  const heard = (event) => {
    const path = event.composedPath();
    if (path.includes(root) || path[0].closest?.("input, textarea, [contenteditable], [role=dialog]")) return;
    const key = event.key.toLowerCase();
    if (key === "z" || key === "?" || ((KEYS[key] || key === "escape") && root.at.selected.size)) root.onkeydown(event);
  };
  root.deaf?.();
  addEventListener("keydown", heard, true); // before Streamlit's own R, which reruns the page
  root.deaf = () => removeEventListener("keydown", heard, true);
  return () => {
    root.deaf();
    over();
  };
}
