// Builds elements. Text goes in as text and nothing else: what a practice's data says can never become markup.

import { stateName } from "./words.js";

/** An element with attributes (`on…` are listeners, true and false switch) and children (elements, text, nothing). */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

/** A state as a small badge; its colour says no more than its word. */
export const badge = (state, name = stateName(state)) => el("span", { class: `badge ${state}` }, name);

/** Rows of a name and a value. Equal names that follow one another are shown once. */
export function rows(pairs) {
  const list = el("dl", { class: "rows" });
  let before = null;
  for (const [name, value] of pairs) {
    if (name !== before) list.append(el("dt", {}, name));
    list.append(el("dd", {}, value));
    before = name;
  }
  return list;
}

/** Say something to those who do not see it. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** Keeps a part of the page shut while `work` runs, so that nothing is sent twice. */
export async function shutWhile(fieldset, work) {
  fieldset.disabled = true;
  try {
    return await work();
  } finally {
    fieldset.disabled = false;
  }
}
