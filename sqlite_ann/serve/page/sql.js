// The SQL of an answer, as it was run, with its milliseconds.

import { make } from "./dom.js";

const TOKEN = /('(?:[^']|'')*'|"(?:[^"]|"")*")|\b(SELECT|FROM|JOIN|ON|WHERE|AND|OR|NOT|IN|AS|IS|NULL|LIKE|MATCH|ESCAPE|ORDER|BY|LIMIT|LEFT|USING|WITH|UNION|ALL|DESC|ASC|CASE|WHEN|THEN|ELSE|END)\b|\b(\d+(?:\.\d+)?)\b/g;
const KINDS = [null, "text", "word", "number"];

// Shows an answer's SQL in a <figure> of index.html.
export function showSql(figure, { sql, ms }) {
  figure.hidden = false;
  figure.querySelector("output").textContent = `${ms < 1 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
  figure.querySelector("code").replaceChildren(...coloured(sql));
}

// Copies what a figure shows; the button says so for a moment.
export function copyOnClick(figure) {
  const button = figure.querySelector("button");
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard.writeText(figure.querySelector("code").textContent).then(() => true, () => false);
    button.textContent = done ? "copied" : "not allowed";
    setTimeout(() => (button.textContent = "copy"), 1200);
  });
}

function coloured(sql) {
  const parts = [];
  let end = 0;
  for (const match of sql.matchAll(TOKEN)) {
    const kind = KINDS[[1, 2, 3].find((group) => match[group] !== undefined)];
    parts.push(sql.slice(end, match.index), make("span", { class: kind }, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, sql.slice(end)];
}
