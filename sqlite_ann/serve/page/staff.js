// Tunes in ABC as staves, drawn by abcjs, which the server has where npm could fetch it.

import { make } from "./dom.js";

const SCALE = 0.8;
const ROOM = 7; // above and below a staff
const HEADING = /^[A-JN-TWZ]:(?![|:])|^w:|^%/; // title, source, tempo, words: the page says what it wants of these itself
let loading = null;

// A promise: whether abcjs is there.
export function loadStaves() {
  loading ??= new Promise((done) => {
    const script = make("script", { src: "/abcjs.js", load: () => done("ABCJS" in window), error: () => done(false) });
    document.head.append(script);
  });
  return loading;
}

// The tune without what abcjs would write around the staves.
export function onlyMusic(abc) {
  const lines = abc.split("\n").filter((line) => !HEADING.test(line));
  return lines.join("\n");
}

// { lines, marks }: an element a staff, and for each note of the melody what is marked while it sounds, if both have as
// many notes. `paper` is an empty element on the page, where abcjs can measure. Throws if abcjs cannot draw the tune.
export function drawStaves(paper, abc, nNotes) {
  const width = paper.clientWidth;
  const [tune] = window.ABCJS.renderAbc(paper, onlyMusic(abc), {
    add_classes: true,
    oneSvgPerLine: true,
    responsive: "resize",
    scale: SCALE,
    staffwidth: width / SCALE,
    paddingtop: 0,
    paddingbottom: 0,
    paddingleft: 0,
    paddingright: 0,
    wrap: { minSpacing: 1.7, maxSpacing: 2.8, preferredMeasuresPerLine: Math.max(2, Math.round(width / 150)) },
  });
  for (const title of paper.querySelectorAll("title")) title.remove(); // "Sheet Music for Untitled", at the pointer
  for (const staff of paper.querySelectorAll("svg")) cutRoom(staff);
  const notes = notesOf(tune);
  return { lines: [...paper.children], marks: notes.length === nNotes ? notes : [] };
}

// As high as what is drawn, which leaves less room between staves than printed music has.
function cutRoom(staff) {
  const box = staff.viewBox.baseVal;
  const drawn = staff.getBBox(); // has what abcjs leaves elsewhere, too
  const top = Math.max(box.y, drawn.y - ROOM);
  const bottom = Math.min(box.y + box.height, drawn.y + drawn.height + ROOM);
  const right = Math.min(Math.max(box.width, drawn.x + drawn.width - box.x + 1), box.width + 3 * ROOM); // a repeat sign stands out
  staff.setAttribute("viewBox", `${box.x} ${top} ${right} ${bottom - top}`);
  staff.setAttribute("aria-label", "Notes");
}

// The elements of each note that is begun: a tie goes on with the note before it.
function notesOf(tune) {
  const voice = tune.lines.flatMap((line) => (line.staff ? line.staff[0].voices[0] : []));
  const notes = voice.filter((element) => element.el_type === "note" && element.pitches);
  return notes
    .filter((note) => !note.pitches.every((pitch) => pitch.endTie))
    .map((note) => [...(note.abselem?.elemset ?? [])]);
}
