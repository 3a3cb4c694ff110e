// Where the page begins: signing in, the three views behind their addresses, the strip of integrations.

import { call, key } from "./api.js";
import { showDecisions } from "./decisions.js";
import { badge, el } from "./dom.js";
import { showIncidents } from "./incidents.js";
import { showTalks } from "./talks.js";
import { say } from "./words.js";

const VIEWS = { talks: showTalks, decisions: showDecisions, incidents: showIncidents };
const ROLES = { viewer: "role.viewer", operator: "role.operator", admin: "role.admin" };
const MOST_SHOWN = 12; // integrations in the strip
const COUNT_EVERY = 20000; // milliseconds

const at = (id) => document.getElementById(id);
let caller = null;
let leaving = new AbortController();

async function begin() {
  if (!key.get()) return showSignIn("");
  try {
    caller = await call("GET", "/caller");
  } catch (refused) {
    return showSignIn(refused.status === 401 ? say("sign_in.wrong") : refused.message);
  }
  at("sign-in").hidden = true;
  at("views").hidden = at("who").hidden = false;
  at("who-name").textContent = say("signed_in", { tenant: caller.tenant, role: say(ROLES[caller.role]) });
  count();
  return route();
}

function showSignIn(trouble) {
  leaving.abort();
  caller = null;
  at("views").hidden = at("who").hidden = at("strip").hidden = true;
  at("view").replaceChildren();
  at("sign-in").hidden = false;
  at("sign-in-wrong").textContent = trouble;
  at("key").focus();
}

/** The view that the address names: `#/`, `#/talks/ID`, `#/decisions`, `#/incidents`, `#/incidents/ID`. */
async function route() {
  if (!caller) return;
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [name, id] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const view = VIEWS[name] ? name : "talks";
  for (const link of at("views").querySelectorAll("a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const act = caller.role !== "viewer";
  try {
    await VIEWS[view](at("view"), { id: id || null, act, signal, strip: showStrip, counts: count });
    if (!signal.aborted) at("view").querySelector("h1")?.focus({ preventScroll: true });
  } catch (refused) {
    if (!signal.aborted) showTrouble(view === "talks" && refused.status === 404 ? say("talk.gone") : refused.message);
  }
}

function showTrouble(text) {
  const again = el("button", { type: "button", onclick: route }, say("again"));
  at("view").replaceChildren(el("div", { class: "empty" }, el("p", { role: "alert" }, text), again));
}

/** How many decisions and incidents are open, beside their names. */
async function count() {
  if (!caller) return;
  const open = (path) => call("GET", path).then((found) => found.items.length + (found.next_cursor ? 1 : 0));
  try {
    const [decisions, opened, waiting] = await Promise.all(
      ["/questions?limit=99", "/incidents?status=open&limit=99", "/incidents?status=waiting&limit=99"].map(open),
    );
    showCount("decisions-count", decisions);
    showCount("incidents-count", opened + waiting);
  } catch {
    // The view says what is wrong; a number that is missing does not.
  }
}

function showCount(id, number) {
  at(id).textContent = number > 99 ? "99+" : number;
  at(id).hidden = !number;
}

/** The integrations in one line, those that are not well first. */
function showStrip(names) {
  const state = (each) => (each.state === "live" ? (each.health && each.health !== "ok" ? each.health : "live") : each.state);
  const all = [...names.integrations.values()].sort((one, other) => (state(one) === "live") - (state(other) === "live"));
  const items = all.slice(0, MOST_SHOWN).map((each) => {
    const name = names.practice(each.practice_id) ?? each.id;
    const text = el("span", {}, el("strong", {}, name), ` ${each.system} `);
    const inside = [text, badge(state(each))];
    return el("li", {}, each.thread_id ? el("a", { href: `#/talks/${each.thread_id}` }, inside) : inside);
  });
  if (all.length > MOST_SHOWN) items.push(el("li", {}, `+ ${all.length - MOST_SHOWN}`));
  at("strip").querySelector("ul").replaceChildren(...items);
  at("strip").hidden = !all.length;
}

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  key.keep(at("key").value.trim());
  at("key").value = "";
  begin();
});
at("sign-out").addEventListener("click", () => {
  key.forget();
  location.hash = "#/";
  showSignIn("");
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # names the view
  at("content").focus();
});
// The chosen language comes back to the same view: a redirect keeps what stands after #.
for (const link of document.querySelectorAll(".languages a"))
  link.addEventListener("click", () => (link.hash = location.hash));
window.addEventListener("hashchange", route);
window.addEventListener("key-refused", () => caller && showSignIn(say("sign_in.wrong")));
setInterval(() => document.hidden || count(), COUNT_EVERY);
begin();
