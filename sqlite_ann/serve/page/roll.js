// A melody as a piano roll: one bar a note, time to the right, pitch upwards, in lines as long as a staff's.

import { draw, make } from "./dom.js";

const LINE = 32; // quarter notes a line
const STEP = 5; // pixels a semitone
const LENGTH = 20; // pixels a quarter note, before the line is fitted to the page
const MARGIN = 6;

// { lines, marks }: an element a line, and for each note what is marked while it sounds.
export function drawRoll({ pitches, durations }) {
  const top = Math.max(...pitches);
  const height = (top - Math.min(...pitches) + 1) * STEP + 2 * MARGIN;
  const total = durations.reduce((sum, duration) => sum + duration, 0);
  const width = LENGTH * Math.min(LINE, Math.max(total, LINE / 2));
  const lines = [];
  const marks = [];
  let at = 0;
  pitches.forEach((pitch, i) => {
    const line = Math.floor(at / LINE);
    while (lines.length <= line) lines.push(emptyLine(width, height, top));
    const x = (at - line * LINE) * LENGTH;
    const y = MARGIN + (top - pitch) * STEP;
    const note = draw("rect", { x, y, width: Math.max(durations[i] * LENGTH - 1.5, 1), height: STEP - 0.5, rx: 2 });
    lines[line].append(note);
    marks.push([note]);
    at += durations[i];
  });
  return { lines: lines.map((line) => make("div", { class: "line" }, line)), marks };
}

// With a thin rule at each C, so that the eye finds its way.
function emptyLine(width, height, top) {
  const line = draw("svg", { class: "roll", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (let pitch = 12 * Math.floor(top / 12); MARGIN + (top - pitch) * STEP < height; pitch -= 12) {
    const y = MARGIN + (top - pitch + 0.5) * STEP;
    line.append(draw("line", { x1: 0, x2: width, y1: y, y2: y }));
  }
  return line;
}
