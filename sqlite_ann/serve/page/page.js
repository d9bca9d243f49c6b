// The page: what is asked is in the hash of the URL; each change of it is a new answer.

import { ask, rowsOf } from "./api.js";
import { icon, make } from "./dom.js";
import { SongMap } from "./map.js";
import { searchField } from "./search.js";
import { Card } from "./song.js";
import { lengthOf, Player, tempoOf, timesOf } from "./sound.js";
import { copyOnClick, showSql } from "./sql.js";
import { loadStaves } from "./staff.js";
import * as state from "./state.js";

const START = "Soldier's Joy"; // three of the demo's books have it
const NEAR = 10;
const [LINES_OF_CHOSEN, LINES_OF_NEAR] = [4, 2];

const $ = (selector) => document.querySelector(selector);
const player = new Player();
let about = null;
let map = null;
let cards = new Map(); // those on the page, by id; a row that stays in the answer keeps its card, and its sound
let playing = null;
let turns = 0;
let answered = null; // a promise of the last answer

function say(error) {
  $("#sentence").textContent = error?.message ?? "";
  $("#sentence").hidden = !error;
}

// --- The answer

async function answer() {
  turns += 1;
  const turn = turns;
  const asked = state.read();
  if (asked.id === null) return;
  try {
    const near = await ask("near", question(asked));
    const ids = near.rows.map((row) => row.id);
    const rows = new Map((await rowsOf([asked.id, ...asked.like, ...asked.dislike, ...ids])).map((row) => [row.id, row]));
    if (turn !== turns) return; // another was asked meanwhile
    say(null);
    showSql($("#near-sql"), near);
    showVotes(asked, rows);
    showCards(asked, near.rows, rows);
    map?.mark(asked.id, ids);
    document.title = `${rows.get(asked.id).show[0]} · ${about.database}`;
    $("#status").textContent = `${ids.length} rows near ${nearWhat(asked, rows)}`;
    drawAll(turn);
  } catch (error) {
    if (turn === turns) say(error);
  }
}

// Near one row, or near all that are liked, the chosen one among them.
function question({ id, like, dislike }) {
  if (!like.length && !dislike.length) return { id, k: NEAR };
  return { like: [id, ...like].join(","), ...(dislike.length ? { dislike: dislike.join(",") } : {}), k: NEAR };
}

function nearWhat(asked, rows) {
  return asked.like.length || asked.dislike.length ? "what you like" : rows.get(asked.id).show[0];
}

// One tune after the other; the browser may paint, and hear clicks, between two.
async function drawAll(turn) {
  for (const card of cards.values()) {
    if (turn !== turns) return;
    await card.drawNotes();
    await new Promise((go) => setTimeout(go));
  }
}

function showCards(asked, near, rows) {
  const old = cards;
  const cardOf = (id, isChosen) => {
    const kept = old.get(id);
    return kept && kept.isChosen === isChosen ? kept : newCard(rows.get(id), isChosen);
  };
  const chosen = cardOf(asked.id, true);
  const others = near.map(({ id, distance }) => {
    const card = cardOf(id, false);
    card.showDistance(distance);
    return card;
  });
  cards = new Map([chosen, ...others].map((card) => [card.row.id, card]));
  if (playing && cards.get(playing.row.id) !== playing) player.stop();
  $("#chosen").replaceChildren(chosen.element);
  $("#near ol").replaceChildren(...others.map((card) => make("li", {}, card.element)));
  $("#near").hidden = false;
}

function newCard(row, isChosen) {
  const lines = isChosen ? LINES_OF_CHOSEN : LINES_OF_NEAR;
  const onPoint = (id) => map?.point(id);
  const card = new Card(row, { about, lines, onPlay: play, onVote: isChosen ? null : vote, onPoint });
  card.isChosen = isChosen;
  return card;
}

// --- Likes and dislikes

async function vote(card, name) {
  const place = [...cards.values()].indexOf(card);
  const next = state.voted(state.read(), card.row.id, name);
  if (state.link(next) === location.hash) return; // clicked twice, before the answer
  const done = new Promise((go) => addEventListener("hashchange", go, { once: true }));
  state.go(next);
  await done;
  await answered; // the card is gone: whoever goes by keys stays at its place in the list
  [...cards.values()][place]?.element.querySelector(`.${name}`)?.focus({ preventScroll: true });
}

function showVotes(asked, rows) {
  const chip = (id, name) => {
    const title = String(rows.get(id)?.show[0] ?? id);
    const takeBack = () => state.go(state.voted(state.read(), id, null));
    const button = make("button", { type: "button", "aria-label": `Take back: ${title}`, click: takeBack }, icon("remove"));
    return make("li", { class: name }, icon(name), make("span", {}, title), button);
  };
  const chips = ["like", "dislike"].flatMap((name) => asked[name].map((id) => chip(id, name)));
  $("#votes").replaceChildren(...chips);
  $("#near h2").textContent = chips.length ? "Nearest to what you like" : "Nearest";
}

// --- Sound

function play(card) {
  if (playing === card) return player.stop();
  const notes = timesOf(card.row.melody, tempoOf(card.row.abc));
  const onEnd = () => {
    card.mark(-1);
    card.showPlaying(false);
    playing = null;
  };
  player.play(notes, (i) => card.mark(i), onEnd);
  playing = card;
  card.showPlaying(true);
  $("#status").textContent = `Playing ${card.title}, ${Math.round(lengthOf(notes))} seconds`;
}

// --- The map

async function showMap() {
  const points = await ask("map");
  $("#map").hidden = false;
  const canvas = $("#map canvas");
  map = new SongMap(canvas, { onHover: showTip, onChoose: (id) => state.go({ id }) });
  map.setPoints(points);
  map.drawLegend($("#map .legend"));
  const n = points.ids.length;
  const told = points.of > n ? `${n.toLocaleString("en")} of ${points.of.toLocaleString("en")} rows` : `All ${n.toLocaleString("en")} rows`;
  const axes = `${told} on the two axes along which they differ most; "sqlite-ann map" (pip install umap-learn) makes a better map.`;
  $("#map .caption").textContent = points.kind === "axes" ? axes : `${told}: what is near is drawn near.`;
  canvas.setAttribute("aria-label", `Map of ${n} rows; the list beside it has those that are marked`);
  for (const button of document.querySelectorAll("[data-zoom]")) {
    const factor = Number(button.dataset.zoom);
    button.addEventListener("click", () => (factor ? map.zoom(factor) : map.whole()));
  }
  $("#map .any").addEventListener("click", () => state.go({ id: points.ids[Math.floor(Math.random() * n)] }));
  const asked = state.read();
  map.mark(asked.id, [...cards.keys()].filter((id) => id !== asked.id));
}

let tipTimer = 0;
function showTip(id, x, y) {
  clearTimeout(tipTimer);
  const tip = $("#map .tip");
  tip.hidden = true;
  for (const card of cards.values()) card.element.classList.toggle("pointed", card.row.id === id);
  if (id === null) return;
  tipTimer = setTimeout(async () => {
    const [row] = await rowsOf([id]).catch(() => []);
    if (!row) return;
    tip.textContent = row.show.filter((value) => value !== null && value !== "").join(" · ");
    tip.hidden = false;
    const room = tip.parentElement.clientWidth - tip.offsetWidth - 4;
    tip.style.left = `${Math.max(4, Math.min(x - tip.offsetWidth / 2, room))}px`;
    tip.style.top = `${y > 50 ? y - tip.offsetHeight - 14 : y + 14}px`;
  }, 40);
}

// --- Beginning

async function begin() {
  about = await ask("about");
  document.title = about.database;
  $("#database").textContent = about.database;
  const of = about.table === null ? "" : ` of ${about.table}`;
  $("#told").textContent = `${about.rows.toLocaleString("en")} rows${of}, compared by ${about.index} (${about.metric})`;
  $("#title").placeholder = `Type a ${about.show[0]}`;
  $("#title").ariaLabel = `Search by ${about.show[0]}`;
  if (about.why_no_abcjs) {
    $(".foot").textContent = `Notes are drawn as a piano roll, not as staves: ${about.why_no_abcjs}.`;
    $(".foot").hidden = false;
  }
  document.body.classList.toggle("text", !about.melodies);
  $("#map .any").textContent = about.melodies ? "Any song" : "Any row";
  for (const figure of document.querySelectorAll("figure.sql")) copyOnClick(figure);
  searchField($("#search"), {
    onFound: (found) => showSql($("#find-sql"), found),
    onChoose: (id) => state.go({ id }),
    onError: say,
  });
  if (about.abcjs) loadStaves(); // while the rows are asked for
  if (state.read().id === null) await chooseFirst();
  if (!about.rows) throw new Error(`${about.index} has no rows yet; look again when it has.`);
  answered = answer();
  await answered;
  await showMap();
}

// What is shown when nothing is asked.
async function chooseFirst() {
  for (const text of about.melodies ? [START, ""] : [""]) {
    const { rows } = await ask("find", { text, k: 1 });
    if (rows.length) return history.replaceState(null, "", state.link({ id: rows[0].id }));
  }
}

addEventListener("hashchange", () => {
  answered = answer();
});
begin().catch(say);
