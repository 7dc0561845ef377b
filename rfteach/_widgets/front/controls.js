// Labeled controls of a widget, each tied to a trait of the model in both directions.

// Ids that no other widget on the page has; each runs a copy of this module.
const own = Math.random().toString(36).slice(2);
let counted = 0;
const newId = () => `rf-${own}-${++counted}`;

/** A number with two digits and a true minus sign. */
export const number = (value) =>
  (Math.round(100 * value) / 100 + 0).toFixed(2).replace("-", "\u2212");

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Set a trait, here and in the kernel if there is one. */
export function put(model, trait, value) {
  model.set(trait, value);
  model.save_changes();
}

/** Call `action` now and whenever one of the traits changes; `undo` collects how to stop that. */
export function follow(model, traits, undo, action) {
  for (const trait of traits) {
    model.on(`change:${trait}`, action);
    undo.push(() => model.off(`change:${trait}`, action));
  }
  action();
}

/** A drop-down list; `options` are its words, or pairs [value, word]. */
export function choice(model, trait, label, options, undo) {
  const select = make("select", { id: newId() });
  select.dataset.lmSuppressShortcuts = "true"; // or JupyterLab would take the arrow keys
  for (const option of options) {
    const [value, word] = Array.isArray(option) ? option : [option, option];
    select.append(make("option", { value, textContent: word }));
  }
  select.onchange = () => put(model, trait, select.value);
  follow(model, [trait], undo, () => (select.value = model.get(trait)));
  return make("div", { className: "rf-control" },
    make("label", { htmlFor: select.id, textContent: label }), select);
}

/** A slider that shows its value. */
export function slider(model, trait, label, [min, max, step], digits, undo) {
  const input = make("input", { type: "range", id: newId(), min, max, step });
  const output = make("output", { htmlFor: input.id, ariaLive: "off" }); // the slider tells it
  input.dataset.lmSuppressShortcuts = "true"; // or JupyterLab would take the arrow keys
  const show = (value) => {
    input.value = value;
    output.value = Number(value).toFixed(digits);
  };
  input.oninput = () => put(model, trait, Number(input.value));
  follow(model, [trait], undo, () => show(model.get(trait)));
  const box = make("div", { className: "rf-control rf-slider" },
    make("label", { htmlFor: input.id, textContent: label }), input, output);
  return Object.assign(box, { input, show });
}

/** A check box. */
export function check(model, trait, label, undo) {
  const input = make("input", { type: "checkbox", id: newId() });
  input.onchange = () => put(model, trait, input.checked);
  follow(model, [trait], undo, () => (input.checked = model.get(trait)));
  return make("div", { className: "rf-control" }, input,
    make("label", { htmlFor: input.id, textContent: label }));
}

/** A button. */
export function button(label, onclick) {
  return make("button", { type: "button", textContent: label, onclick });
}
