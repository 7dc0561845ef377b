/* Widgets in a page without a kernel: put each in the place of its still picture.

The notebook's widgets are in the page as JSON. Those that are ES modules in anywidget's form (export
default { render }) need a model with get, set, on and off, and that is all there is to it; the
html-manager of ipywidgets would do more, and weigh ten times as much as everything here. */

/* A widget's traits, with the events of their changes. */
class WidgetModel {
  constructor(state) {
    this.state = state;
    this.listeners = new Map();
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    for (const each of this.listeners.get(`change:${name}`) ?? []) each();
  }
  on(event, action) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(action);
  }
  off(event, action) {
    this.listeners.get(event)?.delete(action);
  }
  save_changes() {} /* there is no kernel to tell */
}

/* The traits of a widget; bytes are stored apart from the rest, as base64. */
function readState({ state, buffers = [] }) {
  for (const { path, data } of buffers) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const parent = path.slice(0, -1).reduce((inner, key) => inner[key], state);
    parent[path.at(-1)] = new DataView(bytes.buffer);
  }
  return state;
}

async function showWidget(place, model) {
  const program = new Blob([model.get("_esm")], { type: "text/javascript" });
  const { render } = (await import(URL.createObjectURL(program))).default;
  const style = document.createElement("style");
  style.textContent = model.get("_css");
  const box = document.createElement("div");
  place.after(style, box);
  try {
    await render({ model, el: box });
    box.widgetModel = model; /* for who wants to look at it from the browser's console */
    place.className = "onlyprint"; /* paper has the picture, the screen has the widget */
    place.hidden = true;
    box.className = "noprint";
  } catch (error) {
    style.remove(); /* the picture stays */
    box.remove();
    throw error;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const json = document.querySelector('script[type="application/vnd.jupyter.widget-state+json"]');
  const all = json ? JSON.parse(json.textContent).state : {};
  const models = new Map(); /* a widget that is shown twice has one model */
  for (const place of document.querySelectorAll(".rf-still")) {
    const id = place.dataset.widget;
    if (!all[id]) continue;
    if (!models.has(id)) models.set(id, new WidgetModel(readState(all[id])));
    showWidget(place, models.get(id));
  }
});
