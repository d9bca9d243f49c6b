// Melodies as sound: one soft voice, made by WebAudio.
//
//     timesOf(melody, tempo)                      when each note begins and how long it lasts, in seconds
//     schedule(context, output, notes, from, to)  the notes that begin in this time, into any context
//     Player                                      one tune at a time, scheduled ahead

const TEMPO = 120; // quarter notes a minute, where the tune does not say
const AHEAD = 1.5; // seconds; a browser wakes a page that is not looked at once a second
const ATTACK = 0.012;
const RELEASE = 0.12;
const LOUDNESS = 0.22;
const HARMONICS = [0, 1, 0.32, 0.16, 0.05, 0.03]; // between a flute and a string

// Quarter notes a minute from Q:1/4=89, or Q:89.
export function tempoOf(abc) {
  const found = /^Q:[^=\n]*?(?:(\d+)\/(\d+)\s*=\s*)?(\d+)/m.exec(abc || "");
  if (!found) return TEMPO;
  const quarters = found[1] ? (4 * found[1]) / found[2] : 1;
  return Math.min(Math.max(quarters * found[3], 50), 220);
}

// [{ pitch, start, length }, …]
export function timesOf({ pitches, durations }, tempo = TEMPO) {
  let start = 0;
  return pitches.map((pitch, i) => {
    const note = { pitch, start, length: (durations[i] * 60) / tempo };
    start += note.length;
    return note;
  });
}

export function lengthOf(notes) {
  const last = notes.at(-1);
  return last ? last.start + last.length : 0;
}

// Schedules the notes that begin from `from` until before `to`; the first note of the tune sounds at `zero`.
export function schedule(context, output, notes, from, to, zero = 0) {
  for (const { pitch, start, length } of notes) {
    if (start < from || start >= to) continue;
    const at = zero + start;
    const end = at + length;
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setValueAtTime(0, at);
    envelope.gain.linearRampToValueAtTime(LOUDNESS, at + ATTACK);
    envelope.gain.setTargetAtTime(LOUDNESS * 0.6, at + ATTACK, 0.3);
    envelope.gain.setTargetAtTime(0, Math.max(end - 0.03, at + ATTACK), RELEASE / 4);
    const frequency = 440 * 2 ** ((pitch - 69) / 12);
    const voice = new OscillatorNode(context, { frequency, periodicWave: waveOf(context) });
    voice.connect(envelope).connect(output);
    voice.start(at);
    voice.stop(end + RELEASE);
  }
}

const waves = new WeakMap();
function waveOf(context) {
  if (!waves.has(context)) {
    const imag = new Float32Array(HARMONICS);
    waves.set(context, new PeriodicWave(context, { real: new Float32Array(imag.length), imag }));
  }
  return waves.get(context);
}

export class Player {
  #context = null; // made at the first click: before it, browsers give no sound
  #stop = () => {};

  // Plays, and stops what played. onNote(i) when a note begins; onEnd() once, at the end or when it is stopped.
  play(notes, onNote, onEnd) {
    this.stop();
    this.#context ??= new AudioContext();
    const context = this.#context;
    context.resume();
    const output = new GainNode(context);
    output.connect(context.destination);
    const zero = context.currentTime + 0.1;
    let scheduled = 0;
    let current = -1;

    const feed = () => {
      const until = context.currentTime - zero + AHEAD;
      schedule(context, output, notes, scheduled, until, zero);
      scheduled = Math.max(scheduled, until);
      if (context.currentTime - zero > lengthOf(notes)) this.stop();
    };
    const watch = () => {
      const now = context.currentTime - (context.outputLatency || 0) - zero;
      const before = current;
      while (current + 1 < notes.length && notes[current + 1].start <= now) current += 1;
      if (current !== before) onNote(current);
      frame = requestAnimationFrame(watch);
    };
    feed();
    const timer = setInterval(feed, 200);
    let frame = requestAnimationFrame(watch);

    this.#stop = () => {
      this.#stop = () => {};
      clearInterval(timer);
      cancelAnimationFrame(frame);
      output.gain.setTargetAtTime(0, context.currentTime, 0.02);
      setTimeout(() => output.disconnect(), 200);
      onEnd();
    };
  }

  stop() {
    this.#stop();
  }
}
