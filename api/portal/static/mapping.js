// The mapping of an integration, column by column: where each belongs, how sure that is, and what its values look like.

import { call } from "./api.js";
import { el } from "./dom.js";
import { percent, say } from "./words.js";

const DECISIONS = { accept: "map.accept", review: "map.review", no_match: "map.no_match" };

/** A fold that loads the table when it is opened. */
export function mappingFold(integration) {
  const fold = el("details", { class: "fold" }, el("summary", {}, say("talk.mapping")));
  const load = async () => {
    const place = el("div", { class: "tables" }, el("p", { class: "hint" }, say("loading")));
    fold.append(place);
    try {
      const found = await call("GET", `/integrations/${encodeURIComponent(integration)}/mapping?shapes=true`);
      place.replaceChildren(...tables(found));
    } catch (refused) {
      place.replaceChildren(el("p", { class: "hint" }, refused.status === 404 ? say("map.none") : refused.message));
    }
  };
  fold.addEventListener("toggle", load, { once: true });
  return fold;
}

function tables({ mapping, suggestions, shapes }) {
  const used = new Map();
  for (const table of mapping.tables)
    for (const pair of table.fields) {
      const place = `${pair.table}.${pair.column}`;
      used.set(place, [...(used.get(place) ?? []), pair]);
    }
  return Object.entries(Object.groupBy(suggestions, (line) => line.source_table)).map(([name, lines]) =>
    oneTable(name, lines, used, shapes),
  );
}

function oneTable(name, lines, used, shapes) {
  const mapped = lines.filter((line) => used.has(`${name}.${line.source_column}`)).length;
  const heads = ["map.column", "map.looks_like", "map.field", "map.by", "map.sure", "map.decision"];
  return el(
    "div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    el(
      "table", {},
      el("caption", {}, say("map.caption", { table: name, mapped, all: lines.length })),
      el("thead", {}, el("tr", {}, heads.map((each) => el("th", { scope: "col" }, say(each))))),
      el("tbody", {}, lines.map((line) => oneColumn(line, used.get(`${name}.${line.source_column}`) ?? [], shapes[`${name}.${line.source_column}`] ?? []))),
    ),
  );
}

function oneColumn(line, pairs, looks) {
  const best = line.candidates[0];
  const sure = line.decision === "no_match" ? line.no_match : best?.confidence;
  return el(
    "tr", { class: line.decision },
    el("th", { scope: "row" }, line.source_column),
    el("td", {}, el("code", {}, looks.slice(0, 2).join(" · "))),
    el("td", {}, pairs.map((pair) => el("div", {}, `${pair.entity}.${pair.field}`))),
    el("td", {}, [...new Set(pairs.map((pair) => pair.transform?.kind).filter(Boolean))].join(", ")),
    el("td", { class: "number" }, sure === undefined ? "" : percent(sure)),
    el("td", {}, say(DECISIONS[line.decision])),
  );
}
