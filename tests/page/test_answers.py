"""Asking: titles, likes and dislikes, the way back, the SQL of each answer; bad input is a sentence, a title is text."""

from __future__ import annotations

import re
import time

import apsw
import pytest

pytest.importorskip("playwright.sync_api")

import sqlite_ann
from tests.page.browser import ALL_DRAWN, FIGURES, picture, served
from tests.page.conftest import SCRIPT


def titles(page):
    return page.locator("#near li h3 a").all_inner_texts()


def wait_for_another(page, before):
    page.wait_for_function(
        "(before) => document.querySelectorAll('#near li').length && "
        "[...document.querySelectorAll('#near li h3 a')].map((a) => a.href).join() !== before",
        arg=before,
    )


def answer(page):
    return page.evaluate("[...document.querySelectorAll('#near li h3 a')].map((a) => a.href).join()")


def test_the_page_begins_with_a_song_that_three_books_have(browser, url):
    began = time.perf_counter()
    page = browser.open(url)
    page.wait_for_selector("#chosen .lines svg")
    FIGURES["until the first staves are there"] = f"{time.perf_counter() - began:.1f} s"
    page.wait_for_function(ALL_DRAWN)
    FIGURES["until all eleven tunes are drawn"] = f"{time.perf_counter() - began:.1f} s"
    assert page.inner_text("#chosen h3 a") == "The Soldier's Joy"
    assert len(titles(page)) == 10


def test_typing_suggests_titles_and_keys_choose_one(browser, url):
    page = browser.open(url)
    page.wait_for_selector("#near li")
    page.keyboard.press("/")
    page.keyboard.type("irish wash")
    page.wait_for_selector("#suggestions [role=option]")
    assert "MATCH" in page.inner_text("#find-sql code") or "song_text" in page.inner_text("#find-sql code")
    page.keyboard.press("ArrowDown")
    chosen = page.inner_text("#suggestions [aria-selected=true] .title")
    assert page.get_attribute("#title", "aria-activedescendant") == "option-0"
    picture(page, "suggestions")
    page.keyboard.press("Enter")
    page.wait_for_function("(title) => document.querySelector('#chosen h3 a').textContent === title", arg=chosen)
    assert page.locator("#suggestions").is_hidden()
    assert "irish" in chosen.lower()


def test_enter_takes_a_row_of_what_is_typed_by_then(browser, texts_url):
    page = browser.open(texts_url)
    page.wait_for_selector("#near li")
    page.click("#title")
    page.keyboard.type("Page 1")
    page.wait_for_selector("#suggestions [role=option]")
    page.evaluate("""() => {
      const field = document.querySelector("#title");
      field.value = "Page 42";
      field.dispatchEvent(new InputEvent("input"));
      field.form.requestSubmit();
    }""")
    page.wait_for_function("() => location.hash !== '#id=1'")
    assert page.url.endswith("#id=42")


def test_words_that_no_title_has_and_signs_of_a_query_language_are_words(browser, url):
    page = browser.open(url)
    page.wait_for_selector("#near li")
    for text in ("qqqq", '" OR *', "'; DROP TABLE song; --", "NEAR(", "x" * 900):
        page.fill("#title", text)
        page.wait_for_selector("#suggestions .none")
    assert page.locator("#sentence").is_hidden()


def test_the_sql_beside_the_answer_gives_the_answer_in_another_connection(browser, url, songs):
    page = browser.open(f"{url}#id=109")
    page.wait_for_selector("#near li")
    with sqlite_ann.connect(songs, flags=apsw.SQLITE_OPEN_READONLY) as db:
        rows = db.execute(page.inner_text("#near-sql code")).fetchall()
    db.close()
    assert [row[1] for row in rows] == titles(page)
    assert re.fullmatch(r"[\d.]+ ms", page.inner_text("#near-sql output"))


def test_likes_and_dislikes_give_a_new_answer_and_other_sql_and_back_takes_them_back(browser, url):
    page = browser.open(f"{url}#id=109")
    page.wait_for_selector("#near li")
    sql, first = [page.inner_text("#near-sql code")], answer(page)
    page.focus("#near li:nth-child(2) .like")
    page.keyboard.press("Enter")
    wait_for_another(page, first)
    sql.append(page.inner_text("#near-sql code"))
    second = answer(page)
    page.click("#near li:nth-child(4) .dislike")
    wait_for_another(page, second)
    sql.append(page.inner_text("#near-sql code"))
    assert page.locator("#votes .like").count() == page.locator("#votes .dislike").count() == 1
    assert len(set(sql)) == 3
    third = answer(page)
    liked = re.search(r"like=(\d+)", page.url)[1]
    assert f"#id={liked}" not in re.findall("#id=[0-9]+", third)
    page.reload()
    page.wait_for_selector("#near li")
    assert answer(page) == third
    page.go_back()
    wait_for_another(page, third)
    assert answer(page) == second
    page.click("#votes button")
    wait_for_another(page, second)
    assert answer(page) == first


def test_whoever_votes_by_keys_stays_at_that_place_of_the_list(browser, url):
    page = browser.open(f"{url}#id=109")
    page.wait_for_function(ALL_DRAWN)
    before = answer(page)
    page.focus("#near li:nth-child(3) .dislike")
    page.keyboard.press("Enter")
    wait_for_another(page, before)
    page.wait_for_function("() => document.activeElement.matches('#near li:nth-child(3) .dislike')")


def test_a_title_with_a_script_is_shown_as_text(browser, strange_url):
    page = browser.open(f"{strange_url}#id=2")
    page.wait_for_function("() => document.querySelectorAll('#near li .notes > *').length >= 10")
    assert page.inner_text("#chosen h3 a") == SCRIPT
    page.fill("#title", "script")
    page.wait_for_selector("#suggestions [role=option]")
    assert page.inner_text("#suggestions .title") == SCRIPT
    page.goto(f"{strange_url}#id=1&like=2")
    page.wait_for_selector("#votes li")
    assert page.inner_text("#votes li span") == SCRIPT
    assert page.title() == "Scale 1 · strange.db"
    assert page.locator("main script, main img, #suggestions img").count() == 0


def test_what_cannot_be_answered_is_a_sentence_and_the_page_stays(browser, url):
    page = browser.open(f"{url}#id=109", watched=False)  # a browser writes each 404 to its console
    page.wait_for_selector("#near li")
    for hash_, sentence in (
        ("#id=999999", "has no row 999999"),
        ("#id=haste", "expected ids"),
        ("#id=109&like=" + ",".join(map(str, range(1, 200))), "at most 100 ids"),
    ):
        page.goto(url + hash_)
        page.wait_for_function("(s) => document.querySelector('#sentence').textContent.includes(s)", arg=sentence)
        assert page.locator("#near li").count() == 10
    page.goto(f"{url}#id=1")
    page.wait_for_function("() => document.querySelector('#sentence').hidden")


def test_a_server_that_is_gone_is_a_sentence(browser, strange):
    with served(strange) as address:
        page = browser.open(f"{address}#id=1", watched=False)
        page.wait_for_selector("#near li")
    page.click("#near li h3 a")
    page.wait_for_selector("#sentence:not([hidden])")
    assert "does not answer" in page.inner_text("#sentence")


def test_a_database_without_melodies_shows_its_columns_and_no_player(browser, texts_url):
    page = browser.open(f"{texts_url}#id=7")
    page.wait_for_selector("#near li")
    assert page.inner_text("#chosen h3 a") == "Page 7"
    assert "harbour" in page.inner_text("#chosen .long dd")
    assert page.locator(".play, .notes svg").count() == 0
    page.wait_for_selector("#map .legend li")
    picture(page, "text")


@pytest.mark.parametrize("width", [320, 400, 700, 2000])
def test_no_window_has_to_be_scrolled_sideways(browser, url, width):
    page = browser.open(f"{url}#id=109", viewport={"width": width, "height": 900})
    page.wait_for_function(ALL_DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#map canvas").bounding_box()["width"] > 250


def test_every_button_and_field_has_a_name_and_can_be_reached_by_keys(browser, url):
    page = browser.open(f"{url}#id=109")
    page.wait_for_function(ALL_DRAWN)
    unnamed = "[...document.querySelectorAll('button, input, canvas, [role=img]')].filter((e) => !(e.ariaLabel || e.textContent.trim()))"
    assert page.evaluate(f"{unnamed}.map((e) => e.outerHTML)") == []
    assert page.evaluate("[...document.querySelectorAll('button, input')].filter((e) => e.tabIndex < 0).length") == 0
