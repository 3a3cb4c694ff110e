// Everything that waits for a person, conversations and incidents together, answerable here.

import { call, events, page } from "./api.js";
import { questionForm } from "./ask.js";
import { announce, badge, el } from "./dom.js";
import { loadNames } from "./names.js";
import { ours, say } from "./words.js";

/** Shows them until `signal` ends it. */
export async function showDecisions(root, { act, signal, strip, counts }) {
  root.replaceChildren(el("h1", { tabindex: "-1" }, say("decisions.title")), el("p", { class: "hint" }, say("loading")));
  const names = await loadNames(signal);
  strip(names);
  const again = async () => {
    const groups = await grouped(signal);
    const made = await Promise.all(groups.map((each) => group(each, { act, signal, names, again })));
    const empty = made.length ? null : el("p", { class: "empty" }, say("decisions.none"));
    root.replaceChildren(...[el("h1", { tabindex: "-1" }, say("decisions.title")), act ? null : el("p", { class: "hint" }, say("only_looking")), ...made, empty].filter(Boolean));
    counts();
  };
  await again();
}

/** Open questions by the thread or incident that asked them, oldest first. */
async function grouped(signal) {
  const found = [];
  let cursor = null;
  do {
    const one = await page("/questions?limit=500", cursor, signal);
    found.push(...one.items);
    cursor = one.next_cursor;
  } while (cursor);
  return [...Map.groupBy(found, (each) => each.thread_id ?? each.incident_id).values()];
}

async function group(questions, given) {
  const { thread_id, incident_id } = questions[0];
  return thread_id ? ofTalk(thread_id, given) : ofIncident(incident_id, questions, given);
}

async function ofTalk(id, { act, signal, again }) {
  const path = `/onboarding/threads/${encodeURIComponent(id)}`;
  const view = await call("GET", path, undefined, signal);
  const name = view.practice ?? view.address ?? say("talks.untitled");
  const link = el("a", { href: `#/talks/${id}` }, say("decisions.of_talk", { name }));
  const send = (section) => (message) => told(section, again, () => turn(`${path}/messages`, message));
  return decision(link, view.questions, act, (question, section) => ({
    answer: (what) => send(section)({ kind: "answer", question: question.id, ...what }),
    secret: (fields) => send(section)({ kind: "secret", fields }),
  }));
}

async function ofIncident(id, questions, { act, signal, names, again }) {
  const path = `/incidents/${encodeURIComponent(id)}`;
  const incident = await call("GET", path, undefined, signal);
  const name = [ours(incident.title) || say("incidents.unnamed"), incident.integration_id ? names.integration(incident.integration_id) : null];
  const link = el("a", { href: `#/incidents/${id}` }, say("decisions.of_incident", { name: name.filter(Boolean).join(" · ") }));
  return decision(link, questions.map((each) => plainQuestion(each, names)), act, (question, section) => ({
    answer: ({ value }) => told(section, again, () => decide(path, question.id, value)),
    label: (option) => names.integration(option),
  }));
}

/** An incident's question in the form of a conversation's: answered by one of its options, for an alert by an integration. */
export function plainQuestion(question, names) {
  const options = question.kind === "assign_alert" ? [...names.integrations.keys()] : question.options;
  return { ...question, options, effect: {}, proposal: null, actions: ["edit"], evidence: [], fields: [] };
}

/** How an incident stands. It may wait for time as well as for a person, which its question tells apart. */
export const standing = (status) => (status === "waiting" ? badge(status, say("incidents.waiting")) : badge(status));

function decision(link, questions, act, ways) {
  const section = el("section", { class: "decision" }, el("h2", {}, link));
  const answered = el("p", { class: "error", role: "alert" });
  const forms = questions.map((each) => {
    const { answer, secret, label } = ways(each, answered);
    return questionForm(each, { answer: act ? answer : null, secret, label });
  });
  section.append(answered, ...forms);
  return section;
}

/** Do it, say how it went, and show what is open now. A refusal stays, with the state the question is in. */
async function told(place, again, work) {
  place.replaceChildren();
  try {
    const refusal = await work();
    if (refusal) return place.replaceChildren(...refusal);
    announce(say("decisions.taken"));
  } catch (refused) {
    return place.replaceChildren(refused.message);
  }
  return again();
}

async function turn(path, message) {
  let refusal = null;
  for await (const event of events(path, message)) {
    if (event.event === "step") announce(ours(event.step.text));
    if (event.event === "error") refusal = [ours(event.text), event.question ? " " : "", event.question ? badge(event.question.status) : ""];
  }
  return refusal;
}

/** Decide about an incident. A question that is closed is shown with how the incident stands now. */
export async function decide(path, question, answer) {
  try {
    await call("POST", `${path}/decision`, { answer, question });
    return null;
  } catch (refused) {
    if (refused.status !== 409) throw refused;
    const now = await call("GET", path);
    return [`${refused.message} `, standing(now.status)];
  }
}
