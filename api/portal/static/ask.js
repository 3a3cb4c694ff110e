// One question to a person: what is asked, why, what an answer leads to, and a control for every way to answer.

import { el, rows, shutWhile } from "./dom.js";
import { ours, say } from "./words.js";

const OPTIONS = { no_match: "option.no_match", skip: "option.skip", yes: "option.yes", no: "option.no" };
const FEW = 4; // options up to this number are buttons, more are a list

const optionName = (option, label) => (OPTIONS[option] ? say(OPTIONS[option]) : label(option));

/** The question. `answer({action, value})` and `secret(fields)` send what is said; without them it is only shown. */
export function questionForm(question, { answer, secret, label = (option) => option }) {
  const body = el("fieldset", { class: "plain" });
  const act = (what) => shutWhile(body, () => answer(what));
  if (answer) {
    if (question.fields.length) body.append(loginForm(question, (fields) => shutWhile(body, () => secret(fields))));
    else body.append(...choices(question, act, label), ...typed(question, act));
    body.append(...inWords(question, act), ...later(question, act));
  }
  return el(
    "section", { class: "question", "aria-labelledby": `text-${question.id}` },
    el("h3", { id: `text-${question.id}` }, ours(question.text)),
    question.evidence.length ? rows(question.evidence.map((each) => [evidenceName(each), each.detail])) : null,
    ours(question.effect) ? el("p", { class: "hint" }, ours(question.effect)) : null,
    body,
  );
}

const evidenceName = (each) => (each.name === "samples" ? say("ask.samples") : each.name);

/** Buttons for what is proposed and what else there is. */
function choices(question, act, label) {
  const made = [];
  const others = question.options.filter((each) => each !== question.proposal);
  if (question.actions.includes("accept")) {
    const text = say("ask.accept", { proposal: optionName(question.proposal, label) });
    made.push(button(text, "main", () => act({ action: "accept" })));
  }
  if (!question.actions.includes("edit") || !others.length) return row(made);
  if (others.length <= FEW) {
    const kind = made.length ? "" : "main";
    made.push(...others.map((each, place) => button(optionName(each, label), place ? "" : kind, () => act({ action: "edit", value: each }))));
    return row(made);
  }
  const select = el(
    "select", { id: `other-${question.id}` },
    others.map((each) => el("option", { value: each }, optionName(each, label))),
  );
  const take = button(say("ask.choose"), "", () => act({ action: "edit", value: select.value }));
  return [...row(made), el("div", { class: "line" }, el("label", { for: select.id }, say("ask.other")), select, take)];
}

const row = (made) => (made.length ? [el("div", { class: "line" }, made)] : []);

/** A field to type into, where nothing can be chosen. */
function typed(question, act) {
  if (question.options.length || !question.actions.includes("edit")) return [];
  return [lineForm(`value-${question.id}`, say("ask.value"), say("ask.answer"), "main", (value) => act({ action: "edit", value }))];
}

function inWords(question, act) {
  if (!question.actions.includes("respond") || question.fields.length) return [];
  const form = lineForm(`words-${question.id}`, say("ask.in_words"), say("ask.say"), "", (value) => act({ action: "respond", value }));
  return [el("details", { id: `words-of-${question.id}` }, el("summary", {}, say("ask.in_words")), form)];
}

function later(question, act) {
  if (!question.actions.includes("ignore")) return [];
  const text = question.kind === "map_column" ? say("ask.ignore_column") : say("ask.ignore");
  return [button(text, "quiet", () => act({ action: "ignore" }))];
}

/** The login: its values go out by the secret message only, and out of the page at once. */
function loginForm(question, send) {
  const inputs = question.fields.map((field) => [field, loginInput(question, field)]);
  const submit = (event) => {
    event.preventDefault();
    const given = inputs.filter(([, input]) => input.value).map(([field, input]) => [field.name, input.value]);
    inputs.forEach(([, input]) => (input.value = ""));
    if (given.length) send(Object.fromEntries(given));
  };
  return el(
    "form", { class: "login", method: "post", autocomplete: "off", onsubmit: submit },
    inputs.map(([field, input]) => el("div", {}, el("label", { for: input.id }, ours(field.label), note(field)), input)),
    el("button", { type: "submit", class: "main" }, say("ask.login")),
  );
}

function loginInput(question, field) {
  return el("input", {
    id: `login-${question.id}-${field.name}`, type: field.secret ? "password" : "text", autocomplete: "off",
    autocapitalize: "off", spellcheck: "false", required: field.required && !field.have,
  });
}

function note(field) {
  const text = field.have ? say("ask.have") : field.required ? "" : say("ask.optional");
  return text ? el("small", {}, ` · ${text}`) : null;
}

function lineForm(id, name, go, kind, send) {
  const input = el("input", { id, type: "text", autocomplete: "off", required: true, maxlength: 10000 });
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) send(input.value.trim());
  };
  return el(
    "form", { method: "post", onsubmit: submit }, el("label", { for: id }, name),
    el("div", { class: "line" }, input, el("button", { type: "submit", class: kind }, go)),
  );
}

function button(text, kind, press) {
  return el("button", { type: "button", class: kind, onclick: press }, text);
}
