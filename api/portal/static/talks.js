// The list of conversations beside the one that is open.

import { call } from "./api.js";
import { badge, el } from "./dom.js";
import { fillList, trouble } from "./lists.js";
import { loadNames } from "./names.js";
import { showTalk } from "./talk.js";
import { day, say } from "./words.js";

/** Shows them until `signal` ends it. `id` is the open conversation's, null for none. */
export async function showTalks(root, { id, act, signal, strip }) {
  const list = el("ul", { class: "talk-list" });
  const room = el("section", { class: "talk", "aria-label": say("talks.untitled") });
  const aside = el("aside", { class: "talk-side" }, el("h2", {}, say("talks.title")), ...newButton(act), list);
  root.replaceChildren(el("div", { class: id ? "talks open" : "talks" }, aside, room));
  const names = await loadNames(signal);
  strip(names);
  await fillList(list, "/onboarding/threads?limit=30", (line) => listed(line, names, id), signal);
  if (!id) return room.replaceChildren(nothingOpen(list));
  let before = null;
  const moved = (view) => {
    const line = list.querySelector('[aria-current="page"]');
    line?.querySelector(".badge").replaceWith(badge(view.state));
    if (line && (view.practice ?? view.address)) line.querySelector(".name").textContent = view.practice ?? view.address;
    if (before !== null && view.state !== before) loadNames(signal).then(strip, () => {});
    before = view.state;
  };
  await showTalk(room, id, { act, signal, moved });
}

function newButton(act) {
  if (!act) return [];
  const refused = trouble();
  const begin = async (event) => {
    event.target.disabled = true;
    refused.replaceChildren();
    try {
      const thread = await call("POST", "/onboarding/threads", { language: document.documentElement.lang });
      location.hash = `#/talks/${thread.id}`;
    } catch (error) {
      refused.replaceChildren(error.message);
    } finally {
      event.target.disabled = false;
    }
  };
  return [el("button", { type: "button", class: "main wide", onclick: begin }, say("talks.new")), refused];
}

function nothingOpen(list) {
  const text = list.childElementCount ? say("talks.pick") : say("talks.none");
  return el("p", { class: "empty" }, text);
}

function listed(line, names, open) {
  const state = names.integrations.get(line.integration_id)?.state;
  const shown = line.status === "done" && state ? state : (line.status === "open" && !line.address ? "new" : line.status);
  const name = names.thread(line) ?? say("talks.no_address");
  return el(
    "li", {},
    el(
      "a", { href: `#/talks/${line.id}`, "aria-current": line.id === open ? "page" : null },
      el("span", { class: "name" }, name),
      el("span", { class: "about" }, badge(shown === "open" ? "working" : shown), el("time", { datetime: line.created_at }, day(line.created_at))),
    ),
  );
}
