// What stands in a conversation's log: what was said, the steps that were done, cards, questions, errors.

import { badge, el, rows } from "./dom.js";
import { mappingFold } from "./mapping.js";
import { ours, say, time } from "./words.js";

/** Draws entries into a list; steps that follow one another stand together. */
export class Log {
  constructor(integration) {
    this.list = el("ol", { class: "log", role: "log", "aria-label": say("talk.log") });
    this.integration = integration;
    this.steps = null; // the group that the next step joins
    this.progress = new Map(); // by id: steps that tell how far something is, and are told again
    this.reply = null; // the reply that is being said: its id and the element
  }

  entry(entry) {
    if (entry.step) this.step(entry.step);
    else if (entry.card) this.card(entry.card);
    else if (entry.question) this.question(entry.question);
    else if (entry.error) this.error(ours(entry.error.text));
    else this.said(entry.kind, entry.text, entry.at);
  }

  /** An event of a turn that runs. */
  event(event) {
    if (event.event === "token") this.token(event);
    else if (event.event === "error") this.error(ours(event.text), event.question);
    else if (event.event === "step") this.step(event.step);
    else if (event.event === "card") this.card(event.card);
  }

  said(kind, text, at) {
    const words = el("p", {}, text);
    const who = kind === "person" ? say("talk.you") : say("title");
    this.#add(el("li", { class: `said ${kind}` }, el("span", { class: "from" }, who, at ? ` · ${time(at)}` : ""), words));
    return words;
  }

  token({ message, text }) {
    if (this.reply?.message !== message) this.reply = { message, words: this.said("patchbay", "", null) };
    this.reply.words.append(text);
  }

  step(step) {
    const line = el("li", {}, el("span", {}, ours(step.text)), step.at ? el("time", { datetime: step.at }, time(step.at)) : null);
    const told = step.at ? null : this.progress.get(step.id);
    if (!step.at) this.progress.set(step.id, line);
    if (told?.isConnected) return told.replaceWith(line);
    if (!this.steps) {
      const group = el("ul", {});
      this.#add(el("li", { class: "steps" }, group));
      this.steps = group;
    }
    this.steps.append(line);
  }

  card(card) {
    const fold = card.kind === "map" && this.integration ? mappingFold(this.integration) : null;
    const value = (row) => (card.kind === "health" ? badge(row.value) : row.value);
    const pairs = card.rows.map((row, place) => [ours(row.label), place ? row.value : value(row)]);
    this.#add(el("li", { class: `card ${card.kind}` }, el("h3", {}, ours(card.title)), rows(pairs), fold));
  }

  question(question) {
    if (question.status === "open") return; // it stands below, with the ways to answer it
    const text = [`${say("ask.asked")}: ${ours(question.text)} `, badge(question.status)];
    this.#add(el("li", { class: "asked" }, el("p", {}, text)));
  }

  error(text, question) {
    this.#add(el("li", { class: "said error" }, el("p", {}, text, question ? [" ", badge(question.status)] : null)));
  }

  #add(item) {
    this.steps = null;
    this.list.append(item);
  }
}
