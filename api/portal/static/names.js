// Names of practices and integrations for people; an id stands where the first page of either does not hold it.

import { call } from "./api.js";

const MOST = 500; // of each; a tenant with more reads ids for the rest

/** Load them once for a view. */
export async function loadNames(signal) {
  const [practices, integrations] = await Promise.all(
    ["practices", "integrations"].map((each) => call("GET", `/${each}?limit=${MOST}`, undefined, signal)),
  );
  return new Names(practices.items, integrations.items);
}

class Names {
  constructor(practices, integrations) {
    this.practices = new Map(practices.map((each) => [each.id, each.name]));
    this.integrations = new Map(integrations.map((each) => [each.id, each]));
  }

  practice(id) {
    return this.practices.get(id) ?? null;
  }

  /** An integration as its practice's name and its system. */
  integration(id) {
    const found = this.integrations.get(id);
    return found ? [this.practice(found.practice_id), found.system].filter(Boolean).join(" · ") : id;
  }

  thread(line) {
    return this.practice(line.practice_id) ?? (line.address || null);
  }
}
