"""Melodies as sound: what sound.js schedules is rendered and measured; the button plays one tune at a time."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")

from tests.page.browser import ALL_DRAWN, FIGURES

# The functions that the player calls, into a context that renders at once in the place of the loudspeaker's.
RENDER = """async ([melody, tempo]) => {
  const { lengthOf, schedule, timesOf } = await import("/page/sound.js");
  const notes = timesOf(melody, tempo);
  const rate = 22050;
  const context = new OfflineAudioContext(1, Math.ceil((lengthOf(notes) + 1) * rate), rate);
  for (let from = 0; from < lengthOf(notes); from += 1) schedule(context, context.destination, notes, from, from + 1);
  const samples = (await context.startRendering()).getChannelData(0);
  let [squares, peak, last, crossings] = [0, 0, 0, 0];
  samples.forEach((sample, i) => {
    squares += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
    if (Math.abs(sample) > 0.01) last = i;
    if (i > rate / 4 && i <= (5 * rate) / 4 && samples[i - 1] <= 0 && sample > 0) crossings += 1; // in one second
  });
  const parts = melody.pitches.map((_, n) => {
    const [from, to] = [notes[n].start, notes[n].start + notes[n].length].map((at) => Math.floor(at * rate));
    return Math.hypot(...samples.slice(from, Math.min(to, from + 4000))) / Math.sqrt(Math.min(to - from, 4000));
  });
  return { rms: Math.sqrt(squares / (lengthOf(notes) * rate)), peak, crossings, quietest: Math.min(...parts),
    length: lengthOf(notes), sounded: last / rate };
}"""


def melody_of(page, id_):
    return page.evaluate(f"fetch('/api/row?id={id_}').then((r) => r.json()).then((j) => j.rows[0].melody)")


@pytest.mark.parametrize("id_", [1, 109, 5000, 12000])
def test_a_tune_sounds_from_its_first_note_to_its_last_and_no_longer(browser, url, id_):
    page = browser.open(url)
    melody = melody_of(page, id_)
    told = page.evaluate(RENDER, [melody, 120])
    assert told["length"] == pytest.approx(sum(melody["durations"]) / 2)
    assert told["sounded"] == pytest.approx(told["length"], abs=0.15)
    assert 0.03 < told["rms"] < told["peak"] < 0.99
    assert told["quietest"] > 0.02  # every single note is heard
    FIGURES[f"sound of song {id_:,}"] = (
        f"{len(melody['pitches'])} notes in {told['sounded']:.2f} s of {told['length']:.2f}, rms {told['rms']:.3f}, "
        f"peak {told['peak']:.2f}"
    )


@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440), (60, 261.63), (81, 880)])
def test_a_note_has_the_frequency_of_its_number(browser, url, pitch, hertz):
    page = browser.open(url)
    told = page.evaluate(RENDER, [{"pitches": [pitch], "durations": [4]}, 120])
    assert told["crossings"] == pytest.approx(hertz, rel=0.02)


def test_the_tempo_is_that_of_the_tune_where_it_says_one(browser, url):
    page = browser.open(url)
    tempo = "async (abc) => (await import('/page/sound.js')).tempoOf(abc)"
    texts = {"X:1\nQ:1/4=89\nK:C": 89, "Q:3/8=60": 90, 'Q: "Slow" 1/4=60': 60, "Q:100": 100, "K:C\nABC": 120}
    assert {text: page.evaluate(tempo, text) for text in texts} == texts
    assert page.evaluate(tempo, None) == 120
    assert page.evaluate(tempo, "Q:1/4=99999") <= 220


def test_the_button_plays_one_tune_at_a_time_and_marks_the_note_that_sounds(browser, url):
    page = browser.open(f"{url}#id=109")
    page.wait_for_function(ALL_DRAWN)
    page.click("#chosen .play")
    page.wait_for_selector("#chosen .sounding")
    assert page.get_attribute("#chosen .play", "aria-label").startswith("Stop")
    page.click("#near li:first-child .play")
    page.wait_for_selector("#near li:first-child .sounding")
    assert page.locator(".card.playing").count() == 1
    assert page.locator("#chosen .sounding").count() == 0
    page.click("#near li:first-child .play")
    assert page.locator(".playing, .sounding").count() == 0


def test_a_tune_ends_by_itself(browser, strange_url):
    page = browser.open(f"{strange_url}#id=1")
    page.wait_for_selector("#chosen .lines")
    page.click("#chosen .play")
    page.wait_for_selector("#chosen .playing")
    page.wait_for_selector("#chosen .card:not(.playing)", timeout=10_000)  # eight notes, two seconds
    assert page.locator(".sounding").count() == 0


def test_it_goes_on_while_the_tune_stays_in_the_answer_and_stops_when_it_leaves(browser, url):
    page = browser.open(f"{url}#id=109")
    page.wait_for_function(ALL_DRAWN)
    page.click("#chosen .play")
    page.wait_for_selector("#chosen .sounding")
    page.click("#near li:nth-child(2) .like")
    page.wait_for_selector("#votes li")
    assert page.locator("#chosen .playing").count() == 1
    page.click("#near li:first-child h3 a")
    page.wait_for_function("() => !document.querySelector('#votes li')")
    assert page.locator("#chosen .playing").count() == 0
