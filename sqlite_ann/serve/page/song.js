// One row of the table on a card: its names, its notes or its text, and what can be done with it.

import { icon, make } from "./dom.js";
import { drawRoll } from "./roll.js";
import { drawStaves, loadStaves } from "./staff.js";
import { link } from "./state.js";

const LONG = 60; // characters; a longer text is a paragraph

// options: shown, lines, about, onPlay(card), onVote(id, vote) or null, onPoint(id or null)
export class Card {
  constructor(row, options) {
    this.row = row;
    this.options = options;
    this.marks = [];
    this.sounding = [];
    const [title, ...more] = row.show.map((value) => String(value ?? ""));
    this.title = title || `row ${row.id}`;
    this.notes = make("div", { class: "notes" });
    this.distance = make("span", { class: "distance", title: "distance" });
    const name = make("a", { href: link({ id: row.id }) }, this.title);
    const heading = make("h3", {}, name, make("small", {}, more.filter(Boolean).join(" · ")));
    const head = make("header", {}, heading, this.distance, this.#buttons());
    const { onPoint } = options;
    this.element = make(
      "article",
      { class: "card", "data-id": row.id, pointerenter: () => onPoint(row.id), pointerleave: () => onPoint(null) },
      head,
      this.notes,
      this.#facts(),
    );
  }

  #buttons() {
    const { onPlay, onVote } = this.options;
    const button = (name, label, onClick) =>
      make("button", { class: name, type: "button", title: label, "aria-label": `${label}: ${this.title}`, click: onClick }, icon(name));
    const buttons = make("div", { class: "buttons" });
    if (this.row.melody?.pitches.length) {
      this.playButton = button("play", "Play", () => onPlay(this));
      buttons.append(this.playButton);
    }
    if (onVote) {
      buttons.append(button("like", "More like this", () => onVote(this, "like")));
      buttons.append(button("dislike", "Less like this", () => onVote(this, "dislike")));
    }
    return buttons;
  }

  // What the table has beside the names: of a song in one quiet line, of other rows each with its column's name.
  #facts() {
    const { about } = this.options;
    const left = Object.entries(this.row.text).filter(([name, value]) => {
      const isNotes = (name === "abc" && this.row.abc) || (name === "melody" && this.row.melody);
      return !about.show.includes(name) && !isNotes && name !== "id" && value !== null && value !== "";
    });
    if (about.melodies) {
      const words = left.map(([name, value]) => (typeof value === "number" ? `${value} ${name}` : value));
      return make("p", { class: "facts" }, words.join(" · "));
    }
    const parts = left.map(([name, value]) =>
      make("div", { class: String(value).length > LONG ? "long" : null }, make("dt", {}, name), make("dd", {}, String(value))),
    );
    return make("dl", { class: "facts" }, ...parts);
  }

  showDistance(distance) {
    const short = (number) => (Math.abs(number) < 10 ? number.toFixed(3) : Number(number.toPrecision(4)).toLocaleString("en"));
    this.distance.textContent = distance === null ? "" : short(distance);
  }

  // Draws the notes, once; the card must be on the page, since staves are as wide as it is.
  async drawNotes() {
    const { abc, melody } = this.row;
    if (this.drawn || !this.options.about.melodies) return;
    this.drawn = true;
    const staves = abc !== null && this.options.about.abcjs && (await loadStaves());
    const nNotes = melody?.pitches.length ?? 0;
    let picture = null;
    let sentence = staves ? "This tune cannot be drawn as staves: here it is as a piano roll." : null;
    if (staves) {
      try {
        picture = drawStaves(this.notes, abc, nNotes);
      } catch (error) {
        console.info(`abcjs cannot draw row ${this.row.id}: ${error.message}`);
      }
      if (picture?.lines.length) sentence = null;
      else picture = null;
    }
    if (!picture && nNotes) picture = drawRoll(melody, this.notes.clientWidth);
    if (!picture) sentence = "This tune has no notes.";
    sentence = this.row.fault ?? sentence;
    this.marks = picture?.marks ?? [];
    this.#show(picture?.lines ?? [], sentence);
  }

  // The first lines, and a button for the others.
  #show(lines, sentence) {
    const { lines: nShown } = this.options;
    const label = this.row.melody ? `${this.row.melody.pitches.length} notes of ${this.title}` : `notes of ${this.title}`;
    const picture = make("div", { class: "lines", role: "img", "aria-label": label }, ...lines);
    const hidden = lines.length > nShown + 1 ? lines.slice(nShown) : []; // one line is not worth a button
    this.notes.replaceChildren(...(lines.length ? [picture] : []));
    if (sentence) this.notes.append(make("p", { class: "sentence" }, sentence));
    if (!hidden.length) return;
    for (const line of hidden) line.hidden = true;
    const more = make("button", { class: "all", type: "button", click: () => this.showAll() }, `${hidden.length} more lines`);
    this.notes.append(more);
    this.showAll = () => {
      for (const line of hidden) line.hidden = false;
      more.remove();
      this.showAll = () => {};
    };
  }

  showAll() {}

  // Marks the note that sounds, -1 for none.
  mark(i) {
    for (const element of this.sounding) element.classList.remove("sounding");
    this.sounding = this.marks[i] ?? [];
    for (const element of this.sounding) element.classList.add("sounding");
    if (this.sounding[0]?.closest("[hidden]")) this.showAll();
  }

  showPlaying(is) {
    this.element.classList.toggle("playing", is);
    this.playButton.replaceChildren(icon(is ? "stop" : "play"));
    this.playButton.setAttribute("aria-label", `${is ? "Stop" : "Play"}: ${this.title}`);
    this.playButton.title = is ? "Stop" : "Play";
  }
}
