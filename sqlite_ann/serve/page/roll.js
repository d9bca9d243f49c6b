// A melody as a piano roll: one bar a note, time to the right, pitch upwards, in lines as staves have them.

import { draw, make } from "./dom.js";

const STEP = 4; // pixels a semitone
const LENGTH = 24; // pixels a quarter note
const MARGIN = 5;
const LEAST = 8; // quarter notes a line, in the narrowest window

// { lines, marks }: an element a line, and for each note what is marked while it sounds.
export function drawRoll({ pitches, durations }, width) {
  const perLine = Math.max(LEAST, 8 * Math.round(width / LENGTH / 8));
  const lines = [];
  let at = 0;
  pitches.forEach((pitch, i) => {
    const line = Math.floor(at / perLine);
    (lines[line] ??= []).push({ pitch, x: at - line * perLine, length: durations[i] });
    at += durations[i];
  });
  const drawn = lines.filter(Boolean).map((notes) => drawLine(notes, perLine * LENGTH));
  return { lines: drawn.map(({ line }) => line), marks: drawn.flatMap(({ bars }) => bars.map((bar) => [bar])) };
}

function drawLine(notes, width) {
  const top = Math.max(...notes.map(({ pitch }) => pitch));
  const bottom = Math.min(...notes.map(({ pitch }) => pitch));
  const height = (top - bottom + 1) * STEP + 2 * MARGIN;
  const yOf = (pitch) => MARGIN + (top - pitch) * STEP;
  const bars = notes.map(({ pitch, x, length }) => {
    const long = Math.max(Math.min(length * LENGTH, width - x * LENGTH) - 1.5, 1);
    return draw("rect", { x: x * LENGTH, y: yOf(pitch), width: long, height: STEP, rx: 2 });
  });
  const rules = []; // a thin one at each C, so that the eye finds its way
  for (let pitch = 12 * Math.floor(top / 12); pitch >= bottom; pitch -= 12) {
    const y = yOf(pitch) + STEP / 2;
    rules.push(draw("line", { x1: 0, x2: width, y1: y, y2: y }));
  }
  const picture = draw("svg", { class: "roll", viewBox: `0 0 ${width} ${height}` }, ...rules, ...bars);
  return { line: make("div", { class: "line" }, picture), bars };
}
