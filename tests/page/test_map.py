"""The map of all songs: drawn, marked, chosen from, looked at from near."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("playwright.sync_api")

from tests.page.browser import FIGURES

# Pixels that are not transparent, by the nearest of the colours of the page; and all of them as one number.
PIXELS = """() => {
  const canvas = document.querySelector("#map canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let [painted, red, sum] = [0, 0, 0];
  for (let i = 0; i < data.length; i += 4) {
    if (!data[i + 3]) continue;
    painted += 1;
    if (data[i] > 160 && data[i + 1] < 80 && data[i + 2] < 70 && data[i + 3] > 240) red += 1;
    sum = (sum * 31 + data[i] + 7 * data[i + 1] + 13 * data[i + 2] + i) % 1000000007;
  }
  return { painted: painted / (data.length / 4), red, sum };
}"""


def open_map(browser, url):
    page = browser.open(f"{url}#id=109")
    page.wait_for_selector("#near li")
    page.wait_for_selector("#map .legend li")
    page.wait_for_function(f"() => ({PIXELS})().painted > 0.02")
    return page


def test_all_songs_are_drawn_with_a_colour_for_each_book_and_the_song_is_marked(browser, url):
    page = open_map(browser, url)
    told = page.evaluate(PIXELS)
    assert 0.05 < told["painted"] < 0.9
    assert told["red"] > 30
    assert len(page.locator("#map .legend li").all_inner_texts()) == 4
    n = int(re.search(r"All ([\d,]+) rows", page.inner_text("#map .caption"))[1].replace(",", ""))
    assert n > 12_000
    FIGURES["points on the map"] = f"{n:,}, {100 * told['painted']:.0f} % of its pixels painted"


def test_a_point_shows_its_song_and_a_click_chooses_it(browser, url):
    page = open_map(browser, url)
    box = page.locator("#map canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.7)
    page.wait_for_selector("#map .tip:not([hidden])")
    tip = page.inner_text("#map .tip")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("(tip) => tip.startsWith(document.querySelector('#chosen h3 a').textContent)", arg=tip)
    assert "#id=109" not in page.url


def test_the_wheel_the_buttons_and_dragging_change_the_view_and_choose_nothing(browser, url):
    page = open_map(browser, url)
    seen = [page.evaluate(PIXELS)["sum"]]
    box = page.locator("#map canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(300)
    page.mouse.move(5, 5)
    seen.append(page.evaluate(PIXELS)["sum"])
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)
    seen.append(page.evaluate(PIXELS)["sum"])
    page.click("[data-zoom='1.6']")
    page.mouse.move(5, 5)
    seen.append(page.evaluate(PIXELS)["sum"])
    assert len(set(seen)) == 4
    page.click("[data-zoom='0']")
    page.mouse.move(5, 5)
    assert page.evaluate(PIXELS)["sum"] == seen[0]
    assert page.url.endswith("#id=109")


def test_another_button_of_the_mouse_and_a_finger_that_scrolls_choose_and_move_nothing(browser, texts_url):
    page = browser.open(texts_url)
    page.wait_for_selector("#map .legend li")
    page.click("[data-zoom='1.6']")
    before = page.url
    x, y = page.evaluate("""() => {
      const canvas = document.querySelector("#map canvas");
      canvas.scrollIntoView();
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const at = data.findIndex((byte, i) => i % 4 === 3 && byte > 150) >> 2;
      const box = canvas.getBoundingClientRect();
      return [box.x + at % canvas.width, box.y + 2 + Math.floor(at / canvas.width)];
    }""")
    page.mouse.move(x, y)
    page.wait_for_selector("#map .tip:not([hidden])")
    page.mouse.click(x, y, button="right")
    page.mouse.move(5, 5)
    seen = page.evaluate(PIXELS)["sum"]
    page.evaluate("""() => {
      const canvas = document.querySelector("#map canvas");
      const tell = (type, clientX) => canvas.dispatchEvent(new PointerEvent(type, { clientX, clientY: 200, pointerId: 1 }));
      canvas.setPointerCapture = () => {};
      tell("pointerdown", 1000);
      tell("pointercancel", 1000);
      tell("pointermove", 1100);
      tell("pointerleave", 1100);
    }""")
    assert (page.evaluate(PIXELS)["sum"], page.url) == (seen, before)


def test_any_song_is_another_one(browser, url):
    page = open_map(browser, url)
    page.click("#map .any")
    page.wait_for_function("() => location.hash !== '#id=109' && document.querySelectorAll('#near li').length === 10")


def test_a_name_in_the_legend_is_no_wider_than_a_narrow_window(browser, texts_url):
    points = {
        "kind": "axes",
        "ids": [1, 2],
        "x": [0, 1],
        "y": [0, 1],
        "colors": [0, 1],
        "names": ["W" * 100, "b"],
        "of": 2,
    }
    answer = {"/api/map": {"content_type": "application/json", "body": json.dumps(points)}}
    page = browser.open(texts_url, instead=answer, viewport={"width": 390, "height": 800})
    page.wait_for_selector("#map .legend li")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_map_of_a_million_rows_asks_for_no_more_points_than_the_server_gives(browser, url):
    points = {
        "kind": "axes",
        "ids": [1, 2],
        "x": [0, 1],
        "y": [0, 1],
        "colors": [0, 0],
        "names": ["a"],
        "of": 1_000_000,
    }
    answer = {"/api/map": {"content_type": "application/json", "body": json.dumps(points)}}
    page = browser.open(f"{url}#id=109", instead=answer)
    page.wait_for_selector("#near li")
    page.wait_for_selector("#map:not([hidden])")
    assert "2 of 1,000,000 rows" in page.inner_text("#map .caption")
