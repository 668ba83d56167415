"""The page as a reader gets it, in a real browser."""

import pytest

from darter.report import write_html
from tests.report.browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
KINDS = ("ordinary", "awkward", "many", "sixty", "probe", "bare", "lopsided")
TOO_WIDE = """[...document.querySelectorAll("body *")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1
              && !e.closest(".scroll, .code, nav, .skip, svg"))
    .map(e => e.outerHTML.slice(0, 100))"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
@pytest.mark.parametrize("kind", KINDS)
def test_no_sideways_scrolling_no_errors_no_requests(browser, run, kind, width):
    page = write_html(run(kind))
    browser.open(page, width=width)
    for _ in range(2):  # as it opens, then with everything unfolded
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(TOO_WIDE) == []
        browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert browser.problems() == []
    assert browser.requests() == [page.resolve().as_uri()]


@pytest.mark.parametrize(("width", "shown"), [(1280, "wide"), (390, "narrow")])
def test_one_drawing_of_each_chart_is_shown_at_its_full_size(browser, run, width, shown):
    browser.open(write_html(run()), width=width)
    visible = (
        "[...document.querySelectorAll('.chart')].filter(c => c.getBoundingClientRect().width)"
    )
    assert set(browser.evaluate(f"{visible}.map(c => c.parentElement.className)")) == {shown}
    shrunk = f"{visible}.map(c => c.getBoundingClientRect().width / c.viewBox.baseVal.width)"
    assert min(browser.evaluate(shrunk)) > 0.9, "text would be too small to read"


def test_dark_readers_get_a_dark_page(browser, run):
    page = write_html(run("two"))
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.open(page)
    light = browser.evaluate(paper)
    browser.open(page, dark=True)
    assert light == "rgb(250, 249, 246)"
    assert browser.evaluate(paper) == "rgb(19, 22, 27)"


def test_the_script_is_allowed_to_run_and_copies(browser, run):
    browser.open(write_html(run("two")))
    assert browser.evaluate("[...document.querySelectorAll('.copy')].every(b => !b.hidden)")
    browser.evaluate("document.querySelector('.copy').click()")
    done = "new Promise(r => setTimeout(() => r(document.querySelector('.copy').textContent), 200))"
    answer = browser.call(
        "Runtime.evaluate", expression=done, awaitPromise=True, returnByValue=True
    )
    assert answer["result"]["value"] in ("Copied", "Selected")


def test_the_outcome_of_the_race_is_on_a_phone_screen(browser, run):
    browser.open(write_html(run()), width=390)
    outcomes = """[...document.querySelectorAll('#race .stack .why')]
        .map(e => e.getBoundingClientRect()).filter(r => r.right <= innerWidth && r.width > 100)"""
    assert browser.evaluate(f"{outcomes}.length") == 6


def test_every_class_of_sixty_has_its_label(browser, run):
    browser.open(write_html(run("sixty")), width=1280)
    labels = """[...document.querySelectorAll('#confusion .wide text.end')]
        .map(e => e.textContent).filter(t => t.startsWith('mushroom'))"""
    assert len(set(browser.evaluate(labels))) == 60
