// The page's words, numbers and times, in the language that the server chose.

export const language = document.documentElement.lang;
const words = JSON.parse(document.getElementById("words").textContent);

/** The phrase of a key, its facts filled in. */
export function say(key, facts = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => String(facts[name] ?? ""));
}

/** What the service says in both languages, in ours. */
export function ours(texts) {
  return texts?.[language] ?? texts?.en ?? "";
}

const moments = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "short" });
const shares = new Intl.NumberFormat(language, { style: "percent" });

export const moment = (text) => moments.format(new Date(text));
export const day = (text) => days.format(new Date(text));
export const time = (text) => clock.format(new Date(text));
export const percent = (share) => shares.format(share);

const STATES = {
  new: "state.new", working: "state.working", waiting: "state.waiting", held: "state.held", live: "state.live",
  needs_review: "state.needs_review", planned: "state.planned", unknown: "state.unknown", failed: "state.failed",
  done: "state.done", paused: "state.paused", disconnected: "state.disconnected", onboarding: "state.onboarding",
  degraded: "state.degraded", open: "state.open", healed: "state.healed", closed: "state.closed",
  firing: "state.firing", resolved: "state.resolved", answered: "state.answered", obsolete: "state.obsolete",
};

/** A state as people call it; one that nobody named here stands as it is. */
export const stateName = (state) => (STATES[state] ? say(STATES[state]) : state);
