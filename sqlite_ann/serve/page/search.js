// The search field: suggestions while one types, chosen by mouse or by keys (a combobox with a listbox, as ARIA has it).

import { ask } from "./api.js";
import { make } from "./dom.js";
import { asId } from "./state.js";

const PAUSE = 60; // milliseconds without a key before the server is asked

// onFound(answer) with each answer to what was typed, onChoose(id) when a row is taken.
export function searchField(form, { onFound, onChoose, onError }) {
  const input = form.querySelector("input");
  const list = form.querySelector("[role=listbox]");
  let active = -1;
  let timer = 0;
  let running = null;
  let listed = ""; // the text that the suggestions are of

  function open(rows) {
    active = -1;
    list.replaceChildren(...(rows.length ? rows.map(option) : [make("li", { class: "none" }, "Nothing has these words.")]));
    show(true);
  }

  function option({ id, show: [title, ...more] }, i) {
    const parts = [make("span", { class: "title" }, String(title ?? "")), make("span", { class: "more" }, more.join(" · "))];
    const attributes = { role: "option", id: `option-${i}`, "data-id": id, "aria-selected": "false" };
    // On pressing, not on clicking: the field would lose the focus between, and close the list.
    return make("li", { ...attributes, mousedown: (event) => (event.preventDefault(), take(id)) }, ...parts);
  }

  function show(is) {
    list.hidden = !is;
    input.setAttribute("aria-expanded", String(is));
    if (!is) input.removeAttribute("aria-activedescendant");
  }

  function move(step) {
    const options = list.querySelectorAll("[role=option]");
    if (!options.length) return;
    options[active]?.setAttribute("aria-selected", "false");
    active = active < 0 && step < 0 ? options.length - 1 : (active + step + options.length) % options.length;
    options[active].setAttribute("aria-selected", "true");
    options[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[active].id);
  }

  function take(id) {
    clearTimeout(timer);
    running?.abort();
    show(false);
    input.value = "";
    onChoose(id);
  }

  async function find() {
    running?.abort();
    const text = input.value.trim();
    if (!text) return show(false);
    running = new AbortController();
    try {
      const answer = await ask("find", { text, k: 12 }, running.signal);
      listed = text;
      if (document.activeElement === input) open(answer.rows);
      onFound(answer);
    } catch (error) {
      if (error.name !== "AbortError") onError(error);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) find();
      else move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") show(false);
  });
  input.addEventListener("blur", () => show(false));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    if (list.hidden || listed !== input.value.trim()) await find();
    const option = list.querySelector("[aria-selected=true]") ?? list.querySelector("[role=option]");
    if (option && !list.hidden) take(asId(option.dataset.id));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest?.("input")) return;
    event.preventDefault();
    input.focus();
  });
}
