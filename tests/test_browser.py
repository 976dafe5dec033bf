"""Reports in a real browser: everything is drawn, nothing is fetched, and a phone can show it."""

import importlib.util
import os
import shutil

import pytest
from test_cli import adamas_cli
from test_compare import result
from test_report import EVIL, write_run

from adamas import report, rules
from adamas.report import comparison

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Why no page can be opened here; CI can, so that there it is an error.
MISSING = [
    *([] if importlib.util.find_spec("playwright") else ["no playwright: pip install playwright"]),
    *([] if CHROMIUM else ["no Chromium: apt-get install chromium"]),
]

pytestmark = pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason=f"there is {' and '.join(MISSING)}")


@pytest.fixture(scope="module")
def browser():
    assert not MISSING, f"there is {' and '.join(MISSING)}"
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield opened
        opened.close()


def of_data(folder):
    assert adamas_cli("run", "digits-mlp", "--epochs", 12, "--out", folder).exit_code == 0


def of_a_function(folder):
    assert adamas_cli("run", "himmelblau", "--steps", 200, "--out", folder).exit_code == 0


def of_hostile_names(folder):
    folder.mkdir()
    names = {EVIL: [3, 4], "b": [], "x" * 300: [1], "../a.b[0]": [2], "'\"\\${1}`": [2]}
    write_run(folder, lost_share=0.4, clip_rate=0.5, tensors=names, also=["a.b[0]", EVIL, "curve", "1", "'\"\\"])
    report.write(folder)


def of_many_arrays(folder):
    folder.mkdir()
    names = [f"blocks.{i}.attention.projection_of_queries.weight" for i in range(150)]
    write_run(folder, tensors={name: [512, 512] for name in names}, eps_share=0.9)
    report.write(folder)


def of_a_comparison(folder):
    words = ("--rules", "adam,lion", "--states", "default,int8", "--lrs", "0.01,0.1,1,1e30", "--seeds", 2)
    lengths = ("--epochs", 2, "--steps", 40, "--jobs", 1)
    assert adamas_cli("compare", "logreg-digits", "booth", *words, *lengths, "--out", folder).exit_code == 0


def of_many_contenders(folder):
    folder.mkdir()
    plan = comparison.Plan(("logreg-digits", "digits-mlp", "booth"), tuple(list(rules.REGISTRY)[:12]), seeds=2)
    losses = [(trial, 0.1 + abs(hash(trial)) % 1000 / 1000) for trial in plan.trials()]
    found = [result(t.rule, t.lr, t.seed, None if loss > 1 else loss, t.task) for t, loss in losses]
    comparison.write(plan, found, folder)


PAGES = [of_data, of_a_function, of_hostile_names, of_many_arrays, of_a_comparison, of_many_contenders]


@pytest.fixture(scope="module", params=PAGES, ids=lambda f: f.__name__)
def page_of(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "run"
    request.param(folder)
    return folder


def opened(browser, folder, **how):
    """The page, and what went wrong with it: messages of the console, errors, requests."""
    page = browser.new_page(**how)
    wrong, requests = [], []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message) or dialog.dismiss())
    page.on("request", lambda request: requests.append(request.url))
    address = (folder / "report.html").as_uri()
    page.goto(address)
    page.wait_for_function(
        "[...document.querySelectorAll('.chart')].every(c => c.querySelector('svg'))", timeout=30_000
    )
    return page, wrong, [url for url in requests if url != address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_every_plot_is_drawn_and_nothing_is_fetched(browser, page_of, width, scheme):
    page, wrong, fetched = opened(browser, page_of, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert wrong == []
    assert fetched == []
    lines = page.evaluate(
        "[...document.querySelectorAll('.chart')].map(c => [c.id, !c.innerText.includes('cannot be drawn') &&"
        "[...c.querySelectorAll('.mark-line path')].some(p => p.getBoundingClientRect().width > 100)])"
    )
    assert len(lines) >= 3
    assert [name for name, drawn in lines if not drawn] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_text_can_be_read_on_a_phone(browser, page_of):
    page, _, _ = opened(browser, page_of, viewport={"width": 400, "height": 900})
    sizes = page.evaluate(
        """() => {
            const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
            while (walk.nextNode()) {
                const e = walk.currentNode.parentElement
                if (walk.currentNode.data.trim() && e.checkVisibility() && !e.closest("script, style, noscript"))
                    found.push([parseFloat(getComputedStyle(e).fontSize), walk.currentNode.data.trim()])
            }
            return found
        }"""
    )
    assert len(sizes) > 50
    assert [text for size, text in sizes if size < 11] == []
    cut = page.evaluate(
        "[...document.querySelectorAll('.chart text')].filter(t => t.getBoundingClientRect().right > innerWidth ||"
        "t.getBoundingClientRect().left < 0).map(t => t.textContent)"
    )
    assert cut == []
    page.close()


def test_a_curve_tells_its_values_under_the_pointer(browser, tmp_path):
    of_a_function(tmp_path / "run")
    page, wrong, _ = opened(browser, tmp_path / "run", viewport={"width": 900, "height": 900})
    box = page.locator("#loss svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert "step" in page.inner_text("#vg-tooltip-element")
    assert wrong == []
    page.close()


def test_a_click_in_a_legend_singles_a_contender_out(browser, tmp_path):
    of_many_contenders(tmp_path / "run")
    page, wrong, _ = opened(browser, tmp_path / "run", viewport={"width": 900, "height": 900})
    faint = (
        "[...document.querySelectorAll('#loss-validation-0 .mark-line path')]"
        ".filter(p => parseFloat(p.getAttribute('opacity')) < 0.5).length"
    )
    assert page.evaluate(faint) == 0
    page.locator("#loss-validation-0 .role-legend-label text").first.click()
    page.wait_for_function(f"{faint} == 11")
    assert wrong == []
    page.close()


def test_names_are_shown_as_text(browser, tmp_path):
    of_hostile_names(tmp_path / "run")
    page, wrong, _ = opened(browser, tmp_path / "run")
    assert EVIL in page.inner_text("h1")
    assert wrong == []
    page.close()
