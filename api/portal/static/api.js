// Calls the API with the key of this tab. The key lies in sessionStorage and goes nowhere but into this header.

import { say } from "./words.js";

const KEY = "patchbay.key";

export const key = {
  get: () => sessionStorage.getItem(KEY),
  keep: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

/** The service said no: `problem` is its problem document. */
export class Refused extends Error {
  constructor(status, problem) {
    super([problem.cause, problem.mend].filter(Boolean).join(" ") || say("unreachable"));
    this.status = status;
    this.code = problem.code;
  }
}

async function send(method, path, body, accept, signal) {
  const headers = { Authorization: `Bearer ${key.get()}`, Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/v1${path}`, {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), credentials: "omit",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, {});
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    key.forget();
    window.dispatchEvent(new Event("key-refused"));
  }
  throw new Refused(answer.status, problem);
}

/** What the API answers. Throws `Refused`. */
export async function call(method, path, body, signal) {
  return (await send(method, path, body, "application/json", signal)).json();
}

/** The events of a turn as they happen. Throws `Refused`, and whatever breaks the connection off. */
export async function* events(path, body) {
  const answer = await send("POST", path, body, "text/event-stream");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data: "));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(6)).join("\n"));
    }
  }
}

/** One page of a list. */
export const page = (path, cursor, signal) =>
  call("GET", cursor ? `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}` : path, undefined, signal);
