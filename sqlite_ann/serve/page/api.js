// Questions to the server, each answered in JSON; an Error has the sentence that the server says.

const known = new Map(); // rows by id, as /api/row gave them, until the page is loaded again

export async function ask(what, values = {}, signal = undefined) {
  const query = new URLSearchParams(values).toString();
  const response = await fetch(`/api/${what}${query && "?"}${query}`, { signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: is sqlite-ann serve still running?");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// The rows of these ids, in their order, asking for those that were not seen yet.
export async function rowsOf(ids) {
  const missing = ids.filter((id) => !known.has(id));
  if (missing.length) {
    const { rows } = await ask("row", { id: missing.join(",") });
    for (const row of rows) known.set(row.id, row);
  }
  return ids.filter((id) => known.has(id)).map((id) => known.get(id));
}
