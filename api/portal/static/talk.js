// One conversation: its log, the question that is asked, what comes next, and the line to write into.

import { call, events } from "./api.js";
import { questionForm } from "./ask.js";
import { announce, badge, el } from "./dom.js";
import { Log } from "./entries.js";
import { ours, say } from "./words.js";

const SOON = 2000; // milliseconds between looks at a thread that works elsewhere
const LATER = 10000; // and at one where somebody else may answer

/** Shows a conversation until `signal` ends it. `act`: whether the key may say anything. `moved` is told of each change. */
export async function showTalk(root, id, { act, signal, moved }) {
  const talk = new Talk(root, `/onboarding/threads/${encodeURIComponent(id)}`, { act, signal, moved });
  await talk.open();
}

class Talk {
  constructor(root, path, { act, signal, moved }) {
    Object.assign(this, { root, path, act, signal, moved, drawn: "", busy: false });
  }

  async open() {
    this.signal.addEventListener("abort", () => clearTimeout(this.timer), { once: true });
    this.draw(await this.look());
    this.watch();
  }

  look() {
    return call("GET", this.path, undefined, this.signal);
  }

  /** Look again from time to time: another person or process may go on with the same thread. */
  watch() {
    const wait = this.view.state === "working" ? SOON : LATER;
    this.timer = setTimeout(async () => {
      if (!this.busy && !this.isTyping()) await this.refresh().catch(() => {});
      if (!this.signal.aborted) this.watch();
    }, wait);
  }

  isTyping() {
    return [...this.root.querySelectorAll(".asking input")].some((each) => each.value || each === document.activeElement);
  }

  async refresh() {
    const view = await this.look();
    if (JSON.stringify(view) !== this.drawn && !this.busy) this.draw(view);
  }

  draw(view) {
    const first = !this.drawn;
    Object.assign(this, { view, drawn: JSON.stringify(view) });
    this.log = new Log(view.integration);
    view.entries.forEach((entry) => this.log.entry(entry));
    this.asking = el("div", { class: "asking" }, this.questions());
    const goOn = begun(this.root);
    this.root.replaceChildren(this.head(), this.log.list, this.asking, this.foot());
    goOn();
    if (first || this.following) this.follow();
    this.moved(view);
  }

  head() {
    const { practice, address, system, state } = this.view;
    const facts = [system, practice ? address : null].filter(Boolean).join(" · ");
    const title = el("h1", { tabindex: "-1" }, practice ?? address ?? say("talks.untitled"));
    return el("header", { class: "talk-head" }, title, el("p", {}, badge(state), facts ? ` ${facts}` : ""));
  }

  questions() {
    const { questions, asking } = this.view;
    const form = (each) =>
      questionForm(each, {
        answer: this.act ? (what) => this.send({ kind: "answer", question: each.id, ...what }) : null,
        secret: (fields) => this.send({ kind: "secret", fields }),
      });
    const now = questions.filter((each) => each.id === asking);
    const others = questions.filter((each) => each.id !== asking);
    const fold = others.length
      ? el("details", { class: "fold", id: "other-questions" }, el("summary", {}, say("ask.others", { count: others.length })), others.map(form))
      : null;
    return [...now.map(form), fold];
  }

  foot() {
    const next = el("p", { class: "next" }, ours(this.view.next.text));
    if (!this.act) return el("div", { class: "foot" }, next, el("p", { class: "hint" }, say("only_looking")));
    this.box = el("textarea", { id: "message", rows: "1", maxlength: "10000", "aria-describedby": "message-hint", onkeydown: (event) => this.press(event) });
    this.button = el("button", { type: "submit", class: "main" }, say("talk.send"));
    const submit = (event) => {
      event.preventDefault();
      this.say();
    };
    return el(
      "div", { class: "foot" }, next,
      el(
        "form", { class: "composer", method: "post", onsubmit: submit },
        el("label", { for: "message", class: "sr" }, say("talk.message")), this.box, this.button,
      ),
      el("p", { class: "hint", id: "message-hint" }, say("talk.hint")),
    );
  }

  press(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.say();
  }

  /** Say what stands in the box. */
  async say() {
    const text = this.box.value.trim();
    if (!text || this.busy) return;
    this.box.value = "";
    // What was said is shown as the service kept it, since that takes secrets out; until it answers, nothing is.
    await this.send({ kind: "text", text });
    this.box?.focus();
  }

  /** Send a message and show the turn as it happens; afterwards the thread as it is stored. */
  async send(message) {
    if (this.busy) return;
    this.busy = this.root.ariaBusy = true;
    this.button.disabled = true;
    let trouble = null;
    try {
      for await (const event of events(`${this.path}/messages`, message)) this.happen(event);
    } catch (error) {
      trouble = error.code !== undefined || error.status !== undefined ? error.message : say("broken_off");
    }
    this.busy = this.root.ariaBusy = false;
    await this.refreshAfter(trouble);
  }

  happen(event) {
    const near = this.isNearEnd();
    this.log.event(event);
    if (event.event === "step") announce(ours(event.step.text));
    if (event.event === "question") announce(ours(event.question.text));
    if (near) this.follow();
  }

  async refreshAfter(trouble) {
    this.following = this.isNearEnd();
    try {
      this.draw(await this.look());
    } catch (refused) {
      trouble ??= refused.message;
    }
    this.button.disabled = false;
    if (!trouble) return announce(ours(this.view.next.text));
    this.log.error(trouble);
    this.follow();
  }

  isNearEnd() {
    return window.innerHeight + window.scrollY > document.body.scrollHeight - 300;
  }

  follow() {
    window.scrollTo({ top: document.body.scrollHeight });
  }
}

/** What a person has begun in a part of the page: the message, what is half chosen, open folds, and where the caret is.
 * Returns what puts it back into the part drawn anew. Other fields are left out: nothing is drawn while they are filled in. */
function begun(root) {
  const fields = [...root.querySelectorAll("textarea, select")].map(({ id, value }) => ({ id, value }));
  const folds = [...root.querySelectorAll("details[open][id]")].map(({ id }) => id);
  const at = root.contains(document.activeElement) ? document.activeElement : null;
  const caret = at?.tagName === "TEXTAREA" ? [at.selectionStart, at.selectionEnd, at.selectionDirection] : null;
  return () => {
    for (const { id, value } of fields) {
      const field = document.getElementById(id);
      if (field && (!field.options || [...field.options].some((each) => each.value === value))) field.value = value;
    }
    for (const id of folds) document.getElementById(id)?.setAttribute("open", "");
    const now = at?.id ? document.getElementById(at.id) : null;
    now?.focus({ preventScroll: true });
    if (caret) now?.setSelectionRange(...caret);
  };
}
