// Incidents: what failed and why, what speaks for and against it, what was done, what a person can do.

import { call } from "./api.js";
import { questionForm } from "./ask.js";
import { badge, el, rows } from "./dom.js";
import { decide, plainQuestion, standing } from "./decisions.js";
import { fillList, trouble } from "./lists.js";
import { loadNames } from "./names.js";
import { language, moment, ours, percent, say } from "./words.js";

const FOLLOWED = { followed: "incidents.followed", held: "incidents.held", regressed: "incidents.regressed" };

const REMEDIES = {
  wait_for_return: "remedy.wait_for_return", sync_again: "remedy.sync_again", rename_column: "remedy.rename_column",
  use_database: "remedy.use_database", smaller_pages: "remedy.smaller_pages",
};
const remedyName = ({ remedy }) => (REMEDIES[remedy] ? say(REMEDIES[remedy]) : remedy);

/** Shows them until `signal` ends it; the one of `id` stands open and in view, however old it is. */
export async function showIncidents(root, { id, act, signal, strip, counts }) {
  const list = el("div", { class: "incidents" });
  root.replaceChildren(el("h1", { tabindex: "-1" }, say("incidents.title")), list);
  const names = await loadNames(signal);
  strip(names);
  const given = { act, signal, names, counts };
  // One that stands above the list, since its page was not there yet, is not drawn again when that page comes.
  const draw = (each) => (document.getElementById(anchor(each.id)) ? null : oneIncident(each, each.id === id, given));
  await fillList(list, "/incidents?limit=30", draw, signal);
  if (id && !document.getElementById(anchor(id))) list.prepend(await alone(id, given));
  if (!list.childElementCount) list.append(el("p", { class: "empty" }, say("incidents.none")));
  if (id) document.getElementById(anchor(id))?.scrollIntoView();
}

const anchor = (id) => `incident-${id}`;

/** The one that an address names and the first page does not hold, or why it is not to be had. */
async function alone(id, given) {
  try {
    return oneIncident(await call("GET", `/incidents/${encodeURIComponent(id)}`, undefined, given.signal), true, given);
  } catch (refused) {
    return el("p", { class: "error", role: "alert" }, refused.message);
  }
}

function oneIncident(incident, open, given) {
  const place = el("div", {});
  const fold = el("details", { class: "fold" }, el("summary", {}, say("incidents.details")), place);
  const load = async () => {
    place.replaceChildren(el("p", { class: "hint" }, say("loading")));
    const path = `/incidents/${encodeURIComponent(incident.id)}`;
    const again = () => load().then(given.counts);
    place.replaceChildren(...details(await call("GET", path, undefined, given.signal), path, again, given));
  };
  fold.addEventListener("toggle", () => load().catch((refused) => place.replaceChildren(refused.message)), { once: true });
  fold.open = open || incident.status === "waiting";
  const where = incident.integration_id ? given.names.integration(incident.integration_id) : say("incidents.unassigned");
  const title = ours(incident.title) || say("incidents.unnamed");
  return el(
    "article", { class: `incident ${incident.status}`, id: anchor(incident.id) },
    el("h2", {}, title, " ", standing(incident.status)),
    el("p", { class: "hint" }, `${where} · ${lasted(incident)}`, incident.root_cause ? [" · ", el("code", {}, incident.root_cause)] : null),
    fold,
  );
}

function lasted({ opened_at, closed_at }) {
  if (!closed_at) return say("incidents.since", { when: moment(opened_at) });
  return say("incidents.until", { from: moment(opened_at), to: moment(closed_at) });
}

function details(incident, path, again, { act, names }) {
  const kinds = (kind) => incident.evidence.filter((each) => each.kind === kind);
  const diagnosis = kinds("diagnosis").at(-1);
  const guidance = ours(incident.guidance);
  return [
    ...questionsOf(incident, path, again, act, names),
    diagnosis ? el("p", { class: "sure" }, say("incidents.sure", { percent: percent(diagnosis.probability) })) : el("p", { class: "hint" }, say("incidents.no_evidence")),
    ...listed(say("incidents.for"), incident.supporting),
    ...listed(say("incidents.against"), incident.contradicting),
    ...alerts(kinds("alert")),
    ...done(incident, kinds("remedy")),
    ...(guidance ? [el("h3", {}, say("incidents.guidance")), el("p", { class: "guidance" }, guidance)] : []),
  ];
}

/** Reasons in both languages; an old one may have English words only. */
function listed(title, reasons) {
  if (!reasons.length) return [];
  return [el("h3", {}, title), el("ul", {}, reasons.map((each) => el("li", { lang: each[language] ? null : "en" }, ours(each))))];
}

function alerts(found) {
  if (!found.length) return [];
  return [el("h3", {}, say("incidents.alerts")), rows(found.map((each) => [each.name, [badge(each.status), ` ${moment(each.at)}`]]))];
}

function done(incident, remedies) {
  const lines = remedies.map((each) => el("li", {}, `${moment(each.at)}: ${remedyName(each)}`, each.what ? el("span", { lang: "en" }, ` (${each.what})`) : null));
  const [sentence, spoken] = ending(incident);
  if (sentence) lines.push(el("li", { lang: spoken }, sentence));
  if (incident.remedy_state) lines.push(el("li", {}, say(FOLLOWED[incident.remedy_state])));
  const planned = incident.plan?.what && !remedies.length ? [el("h3", {}, say("incidents.plan")), el("p", { lang: "en" }, incident.plan.what)] : [];
  return lines.length ? [...planned, el("h3", {}, say("incidents.done")), el("ul", {}, lines)] : planned;
}

/** How it ended, without the guidance that stands below, and its language where that is not the page's: an old one has English only. */
function ending({ outcome, guidance }) {
  const said = outcome?.said?.[language];
  const text = (said ?? outcome?.sentence ?? "").replace(guidance?.[said ? language : "en"] ?? "", "").trim();
  return [text, said ? null : "en"];
}

function questionsOf(incident, path, again, act, names) {
  const refused = trouble();
  const answer = (question) => async ({ value }) => {
    try {
      const refusal = await decide(path, question.id, value);
      if (refusal) refused.replaceChildren(...refusal);
      else await again();
    } catch (error) {
      refused.replaceChildren(error.message);
    }
  };
  const open = incident.questions.filter((each) => each.status === "open").map((each) => plainQuestion(each, names));
  const forms = open.map((each) => questionForm(each, { answer: act ? answer(each) : null, label: (option) => names.integration(option) }));
  return forms.length ? [refused, ...forms] : [];
}
