// A list that grows page by page, and says it where a page is refused.

import { page } from "./api.js";
import { el } from "./dom.js";
import { say } from "./words.js";

/** A place for what went wrong beside what was asked for. */
export const trouble = () => el("p", { class: "error", role: "alert" });

/** Fills `list` with the first page of `path`, `draw` making an element of each item; behind it a button for more, while
 * there is more. Throws `Refused` for the first page; a refused later one is said, and can be asked for again. */
export async function fillList(list, path, draw, signal) {
  const more = el("button", { type: "button", class: "quiet" }, say("more"));
  const refused = trouble();
  const fill = async (cursor) => {
    const found = await page(path, cursor, signal);
    list.append(...found.items.map(draw).filter(Boolean));
    more.onclick = () => goOn(found.next_cursor);
    if (!found.next_cursor) more.remove();
    else if (!more.isConnected) list.after(more, refused);
  };
  const goOn = async (cursor) => {
    refused.replaceChildren();
    more.disabled = true;
    try {
      await fill(cursor);
    } catch (error) {
      refused.replaceChildren(error.message);
    } finally {
      more.disabled = false;
    }
  };
  await fill(null);
}
