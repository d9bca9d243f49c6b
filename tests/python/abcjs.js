// Reads tunes in ABC, a JSON list, from standard input; writes the pitches of each that abcjs hears: MIDI numbers,
// of a chord the top one, 0 for a note that it does not play. Ornaments are left out, and no repeat is unrolled.
const ABCJS = require("abcjs");
const fs = require("fs");

function pitchesOf(abc) {
  const tune = ABCJS.parseOnly(abc)[0];
  const voice = tune.lines.flatMap((line) => (line.staff ? line.staff[0].voices[0] : []));
  for (const bar of voice.filter((element) => element.el_type === "bar")) {
    bar.type = "bar_thin";
    delete bar.startEnding;
    delete bar.endEnding;
  }
  tune.setUpAudio({}); // gives each element its midiPitches
  const isTied = (note) => note.pitches.some((pitch) => pitch.endTie);
  return voice
    .filter((element) => element.el_type === "note" && element.pitches)
    .filter((note) => note.midiPitches?.length || !isTied(note))
    .map((note) => Math.max(0, ...(note.midiPitches || []).map((played) => played.pitch)));
}

process.stdout.write(JSON.stringify(JSON.parse(fs.readFileSync(0, "utf-8")).map(pitchesOf)));
