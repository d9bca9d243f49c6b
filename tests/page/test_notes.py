"""Tunes as notes: staves where abcjs draws them, a piano roll where it does not, and a sentence that says so."""

from __future__ import annotations

import json

import apsw
import pytest

pytest.importorskip("playwright.sync_api")

from tests.page.browser import ALL_DRAWN, FIGURES

FIVE = [  # of each book one, and the longest tune of all
    "title = 'Soldiers Joy'",
    "title LIKE '%Haste to the Wedding%' AND book LIKE 'O''Neill%'",
    "title LIKE 'Money Musk%' AND book LIKE 'Ryan%'",
    "book LIKE 'Essen%' AND metre = '3/4' AND notes > 40",
    "notes = (SELECT max(notes) FROM song)",
]
# Every tune as the page gives it to abcjs: parsed; and of every 25th, drawn: whether its notes can be marked.
PARSE_ALL = """async () => {
  const { onlyMusic } = await import("/page/staff.js");
  const answer = await fetch("/api/map");
  const { ids } = await answer.json();
  const told = { tunes: 0, warned: 0, seconds: 0, thrown: [] };
  for (let i = 0; i < ids.length; i += 100) {
    const { rows } = await (await fetch(`/api/row?id=${ids.slice(i, i + 100)}`)).json();
    const began = performance.now();
    for (const { id, abc } of rows) {
      told.tunes += 1;
      try {
        const [tune] = ABCJS.parseOnly(onlyMusic(abc));
        if (tune.warnings) told.warned += 1;
        if (!tune.lines.some((line) => line.staff)) told.thrown.push(`${id}: no staff`);
      } catch (error) {
        told.thrown.push(`${id}: ${error}`);
      }
    }
    told.seconds += (performance.now() - began) / 1000;
  }
  return told;
}"""
DRAW_SOME = """async (step) => {
  const { drawStaves } = await import("/page/staff.js");
  const { ids } = await (await fetch("/api/map")).json();
  const paper = document.createElement("div");
  paper.style.width = "760px";
  document.body.append(paper);
  const told = { tunes: 0, marked: 0, seconds: 0, thrown: [] };
  const chosen = ids.filter((_, i) => i % step === 0);
  for (let i = 0; i < chosen.length; i += 100) {
    const { rows } = await (await fetch(`/api/row?id=${chosen.slice(i, i + 100)}`)).json();
    const began = performance.now();
    for (const { id, abc, melody } of rows) {
      told.tunes += 1;
      paper.replaceChildren();
      try {
        told.marked += drawStaves(paper, abc, melody.pitches.length).marks.length > 0;
      } catch (error) {
        told.thrown.push(`${id}: ${error}`);
      }
    }
    told.seconds += (performance.now() - began) / 1000;
  }
  paper.remove();
  return told;
}"""


@pytest.fixture(scope="module")
def five(songs):
    """Ids, and how many notes each has."""
    with apsw.Connection(str(songs), flags=apsw.SQLITE_OPEN_READONLY) as db:
        found = [db.execute(f"SELECT id, notes FROM song WHERE {which} ORDER BY id LIMIT 1").get for which in FIVE]
    db.close()
    return found


def test_five_songs_are_staves_with_as_many_note_heads_as_their_melodies_have_notes(browser, url, five):
    shares = []
    for id_, n_notes in five:
        page = browser.open(f"{url}#id={id_}")
        page.wait_for_selector("#chosen .lines svg .abcjs-notehead")
        n_heads = page.locator(
            "#chosen .abcjs-notehead"
        ).count()  # grace notes, and each note of a chord, are heads, too
        shares.append(n_heads / n_notes)
        lines = page.locator("#chosen .lines svg")
        shown = [line for line in lines.all() if line.is_visible()]
        assert len(shown) == lines.count() if lines.count() <= 5 else len(shown) == 4
        assert all(line.bounding_box()["height"] > 30 for line in shown)
        page.close()
    assert min(shares) > 0.9, shares
    assert max(shares) < 1.35, shares
    FIGURES["note heads a note of the melody, of five songs"] = ", ".join(f"{share:.2f}" for share in shares)


def test_a_long_tune_shows_all_its_lines_when_it_is_asked_to(browser, url, five):
    page = browser.open(f"{url}#id={five[-1][0]}")
    page.click("#chosen .all")
    assert page.locator("#chosen .all").count() == 0
    assert all(line.is_visible() for line in page.locator("#chosen .lines svg").all())


@pytest.mark.timeout(900)
def test_every_tune_of_the_corpus_is_parsed_without_an_exception(browser, url):
    page = browser.open(url)
    page.wait_for_function(ALL_DRAWN)
    told = page.evaluate(PARSE_ALL)
    FIGURES["tunes that abcjs parsed"] = (
        f"{told['tunes']:,} in {told['seconds']:.0f} s, {told['warned']:,} with a warning"
    )
    FIGURES["tunes that it did not parse"] = str(len(told["thrown"]))
    assert told["tunes"] > 12_000
    assert told["thrown"] == []


@pytest.mark.timeout(900)
def test_tunes_are_drawn_and_most_have_notes_that_can_be_marked_while_they_sound(browser, url):
    page = browser.open(url)
    page.wait_for_function(ALL_DRAWN)
    told = page.evaluate(DRAW_SOME, 50)
    FIGURES["tunes drawn, every 50th"] = f"{told['tunes']}, {1000 * told['seconds'] / told['tunes']:.0f} ms each"
    FIGURES["of these, with notes marked while they sound"] = f"{told['marked']}"
    assert told["thrown"] == []
    assert told["marked"] > 0.9 * told["tunes"]


def test_where_abcjs_throws_the_tune_is_a_piano_roll_with_a_sentence(browser, url, five):
    body = "window.ABCJS = { renderAbc() { throw new Error('no'); } };"
    abcjs = {"/abcjs.js": {"content_type": "text/javascript", "body": body}}
    page = browser.open(f"{url}#id={five[0][0]}", instead=abcjs)
    page.wait_for_function(ALL_DRAWN)
    assert page.locator("#chosen .roll rect").count() == five[0][1]
    assert page.inner_text("#chosen .sentence") == "This tune cannot be drawn as staves: here it is as a piano roll."
    assert page.locator("#near .roll").count() >= 10


def test_without_abcjs_every_tune_is_a_piano_roll_and_the_page_says_why(browser, roll_url, five):
    page = browser.open(f"{roll_url}#id={five[0][0]}")
    page.wait_for_function(ALL_DRAWN)
    assert page.locator("#chosen .roll rect").count() == five[0][1]
    assert page.locator(".sentence").count() == 0
    assert "npm is not installed" in page.inner_text(".foot")


def test_a_tune_without_staves_is_a_roll_and_one_without_notes_says_what_is_wrong(browser, strange_url):
    page = browser.open(f"{strange_url}#id=3")
    page.wait_for_selector("#chosen .roll")
    assert page.locator("#chosen .roll rect").count() == 8
    assert "piano roll" in page.inner_text("#chosen .sentence")
    page.goto(f"{strange_url}#id=4")
    page.wait_for_selector("#chosen [data-id='4'] .sentence")
    assert "expected JSON of notes" in page.inner_text("#chosen .sentence")
    assert page.locator("#chosen .play").count() == 0
    assert json.loads(page.evaluate("fetch('/api/row?id=4').then((r) => r.text())"))["rows"][0]["melody"] is None
