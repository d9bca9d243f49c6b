"""Pictures of the page for people to look at, in build/page; README's, which is copied to docs/page.webp, among them."""

from __future__ import annotations

import base64

import pytest

pytest.importorskip("playwright.sync_api")

from tests.page.browser import ALL_DRAWN, FIGURES, PICTURES, picture

LARGEST = 100_000  # bytes of a picture in the repository
# The browser makes a WebP of a PNG, since the driver cannot.
AS_WEBP = """async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.8 });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def drawn(browser, url, **options):
    page = browser.open(f"{url}#id=109", **options)
    page.wait_for_function(ALL_DRAWN)
    page.wait_for_selector("#map .legend li")
    page.wait_for_timeout(300)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser, url, scheme):
    page = drawn(browser, url, color_scheme=scheme)
    page.click("#near li:nth-child(3) .like")
    page.wait_for_selector("#votes li")
    page.wait_for_function(ALL_DRAWN)
    page.click("#chosen .play")
    page.wait_for_selector("#chosen .sounding")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(background.strip("rgb()").split(",")[0]) > 200) == (scheme == "light")
    picture(page, scheme)


def test_narrow(browser, url):
    picture(drawn(browser, url, viewport={"width": 400, "height": 900}), "narrow", full_page=True)


def test_roll(browser, roll_url):
    picture(drawn(browser, roll_url), "roll")


def test_map(browser, url):
    page = drawn(browser, url)
    page.hover("#map canvas", position={"x": 150, "y": 260})
    page.wait_for_selector("#map .tip:not([hidden])")
    page.wait_for_timeout(200)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.locator("#map").screenshot(path=PICTURES / "map.png")


def test_the_picture_of_readme_is_small(browser, url):
    page = drawn(browser, url, viewport={"width": 1240, "height": 860})
    page.click("#near li:first-child .play")
    page.mouse.move(5, 5)
    page.wait_for_timeout(2000)
    png = picture(page, "readme")
    webp = PICTURES / "readme.webp"
    webp.write_bytes(base64.b64decode(page.evaluate(AS_WEBP, base64.b64encode(png.read_bytes()).decode())))
    FIGURES["README's picture"] = f"{webp.stat().st_size / 1000:.0f} kB"
    assert webp.stat().st_size < LARGEST
