// What is asked, in the hash of the URL: #id=109&like=4,8&dislike=15. So the back button and bookmarks work.

export function read() {
  const values = new URLSearchParams(location.hash.slice(1));
  const ids = (name) => (values.get(name) || "").split(",").filter(Boolean).map(asId);
  return { id: ids("id")[0] ?? null, like: ids("like"), dislike: ids("dislike") };
}

// As the server gives it: a number, or text where JavaScript's numbers have too few digits.
export function asId(text) {
  return Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

export function link({ id, like = [], dislike = [] }) {
  const lists = { like, dislike };
  return `#id=${id}` + Object.keys(lists).map((name) => (lists[name].length ? `&${name}=${lists[name]}` : "")).join("");
}

export function go(state) {
  location.hash = link(state);
}

// The same state with a row liked ("like"), disliked ("dislike"), or neither (null).
export function voted(state, id, vote) {
  const without = (ids) => ids.filter((other) => other !== id);
  const next = { id: state.id, like: without(state.like), dislike: without(state.dislike) };
  if (vote) next[vote].push(id);
  return next;
}
