"""The page in a real browser."""

import pytest

from stnkit.experiments.report.notes import notes
from stnkit.experiments.report.page import make_page
from stnkit.experiments.report.published_results import compare, load_published
from stnkit.experiments.report.runs import find_runs
from stnkit.experiments.report.table import make_table
from tests.browser import opened
from tests.helpers import RECORDED_COMPONENTS

EVIL = "</script><img src=x onerror='window.evil=1'><script>window.evil=1</script>\"'`"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def show(browser, tmp_path):
    """Opens the page of a table; afterwards the browser's console must be empty."""

    def open_page(table):
        comparison = compare(table, load_published("paper"))
        path = tmp_path / "page.html"
        path.write_text(make_page(table, comparison, notes(table) + comparison.notes), encoding="utf-8")
        browser.get(path.as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []


def column(browser, index):
    rows = "[...document.querySelectorAll('#results tbody tr')]"
    texts = browser.execute_script(f"return {rows}.map(row => row.cells[arguments[0]].textContent.trim())", index)
    return [text.split("the paper")[0] for text in texts]


def press(browser, element, key):
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("arguments[0].focus()", element)
    element.send_keys(getattr(Keys, key))


def test_the_pictures_of_a_real_sweep_load_and_nothing_else_does(sweep, show):
    page = show(make_table(find_runs([sweep / "ok", sweep / "bad" / "0"])))
    sizes = page.execute_script("return [...document.images].map(image => [image.complete, image.naturalWidth])")
    # Two strips of test images and two of means without a transformer; four and three with one.
    assert len(sizes) == 4 + 7
    assert all(complete and width == 280 for complete, width in sizes)
    assert all(page.execute_script("return [...document.images].map(image => image.alt.length > 10)"))
    assert page.execute_script("return document.querySelectorAll('.lattice path').length") == 20
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []
    assert "there is no checkpoint" in page.find_element("tag name", "main").text
    # One line for each run, and four more for that with a transformer: the pose, the distance of θ, the share outside.
    lines = page.execute_script("return [...document.querySelectorAll('#curves svg [id*=curve-]')].map(g => g.id)")
    of_theta = [f"{name}-curve-1-0-0" for name in ("rotation", "corners", "theta", "outside")]
    assert lines == ["curve-1-0-0", "curve-1-1-0", *of_theta]


def test_links_of_the_table_lead_to_the_pictures_of_their_cell(sweep, show):
    page = show(make_table(find_runs([sweep / "ok"])))
    targets = page.execute_script("return [...document.querySelectorAll('#results a')].map(a => a.hash.slice(1))")
    assert len(targets) == 2
    titles = [page.find_element("id", target).text for target in targets]
    assert titles == ["none", "input"]


def test_a_page_without_runs_has_no_table_and_works(show):
    page = show(make_table([]))
    assert page.find_elements("tag name", "table") == []
    assert "test_error, %: no run is completed" in page.find_element("tag name", "main").text
    page.find_element("id", "theme").click()
    assert page.execute_script("return document.documentElement.dataset.theme") in ("dark", "light")


def test_the_table_sorts_by_click_and_by_keyboard(make_run, runs_of, show):
    for name, error in (("c", 9.0), ("a", 10.0), ("b", None), ("d", 1.0)):
        make_run(transform={"name": name}, record={"test_error": error})
    page = show(make_table(runs_of()))
    by_name, by_error = page.find_elements("css selector", "thead button")
    assert column(page, 0) == ["c", "a", "b", "d"]
    by_error.click()
    assert column(page, 0) == ["d", "c", "a", "b"]
    by_error.click()
    assert column(page, 0) == ["a", "c", "d", "b"]
    press(page, by_name, "ENTER")
    assert column(page, 0) == ["a", "b", "c", "d"]
    press(page, by_name, "SPACE")
    assert column(page, 0) == ["d", "c", "b", "a"]
    states = page.execute_script("return [...document.querySelectorAll('thead th')].map(th => th.ariaSort)")
    assert states == ["descending", "none"]


def test_nothing_from_a_run_is_markup(make_run, runs_of, show):
    make_run(transform={"name": EVIL}, record={"history": [{"epoch": 0, "validation_error": 3.0}]})
    make_run(f"{EVIL.replace('/', '')}", status="failed", record={"error": EVIL}, distortion={"name": EVIL})
    (make_run("broken") / "metrics.json").write_text(EVIL)
    page = show(make_table(runs_of()))
    assert page.execute_script("return window.evil") is None
    assert page.execute_script("return document.querySelectorAll('img, script').length") == 1
    assert EVIL in page.find_element("tag name", "body").text


def test_theme_and_grid_can_be_switched(sweep, show):
    page = show(make_table(find_runs([sweep / "ok" / "1"])))

    def color():
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    before = color()
    page.find_element("id", "theme").click()
    assert color() != before
    page.find_element("id", "theme").click()
    assert color() == before
    lattice = page.find_element("css selector", ".lattice")
    assert lattice.is_displayed()
    page.find_element("id", "lattices").click()
    assert not lattice.is_displayed()


def test_a_legend_entry_marks_its_curves(make_run, runs_of, show):
    for transform in ("affine", "tps"):
        make_run(transform={"name": transform}, record={"history": [{"epoch": 0, "validation_error": 3.0}]})
    page = show(make_table(runs_of()))
    page.execute_script("document.querySelectorAll('.legend li')[1].focus()")
    marked = page.execute_script("return [...document.querySelectorAll('#curves .on')].map(line => line.id)")
    assert marked == ["curve-0-1-0"]


def test_a_seed_of_the_legend_marks_its_curves(make_run, runs_of, show):
    for transform in ("affine", "tps"):
        for seed in (3, 5):
            history = [{"epoch": 0, "validation_error": 3.0, "validation_theta_distance": 1.0}]
            make_run(seed=seed, transform={"name": transform}, record={"history": history})
    page = show(make_table(runs_of()))
    page.execute_script("document.querySelector('[data-seed=\"1\"]').focus()")
    marked = page.execute_script("return [...document.querySelectorAll('#curves .on')].map(line => line.id)")
    assert marked == ["curve-0-0-1", "curve-0-1-1", "theta-curve-0-0-1", "theta-curve-0-1-1"]
    assert page.find_element("css selector", "[data-seed='1']").text == "seed 5"


def test_facts_and_warnings_stand_above_the_table(make_run, runs_of, show):
    make_run(training={"epochs": 2}, record={"test_error": 1.0})
    undefined = {"undefined": {"rotation_residual": "the distortion moves no point of any image"}}
    make_run(transform={"name": "tps"}, training={"epochs": 10}, record={"test_error": 2.0, **undefined})
    page = show(make_table(runs_of()))
    facts, warning, table = (page.find_element("css selector", name) for name in (".facts", ".warnings", "#results"))
    assert "rotation (degrees=90.0)" in facts.text
    assert "rows differ in training.epochs too: 2 in affine; 10 in tps" in warning.text
    assert facts.location["y"] < warning.location["y"] < table.location["y"]
    (best,) = page.find_elements("css selector", "td.best")
    assert best.text.startswith("1.00 (1)")
    notes_of_tps = page.find_elements("css selector", "[aria-labelledby=cell-1-0] .note")
    assert notes_of_tps[0].text == "— rotation_residual: the distortion moves no point of any image"


def test_a_page_of_broken_records_alone_is_a_page(make_run, runs_of, show):
    (make_run() / "metrics.json").write_text("{")
    page = show(make_table(runs_of()))
    assert "1 run: 1 broken" in page.find_element("tag name", "header").text


def test_the_console_check_can_fail(browser, tmp_path):
    path = tmp_path / "broken.html"
    path.write_text("<!doctype html><script>throw new Error('seen')</script><img src='missing.png'>")
    browser.get(path.as_uri())
    assert len(browser.get_log("browser")) == 2


def test_published_results_are_in_the_table(make_run, runs_of, show):
    make_run(record={"test_error": 1.0})
    make_run(distortion=RECORDED_COMPONENTS["rts"], record={"test_error": 1.0})
    page = show(make_table(runs_of()))
    published = page.execute_script("return [...document.querySelectorAll('.published')].map(one => one.textContent)")
    assert published == ["the paper 0.7, +0.30", "the paper 0.5, +0.50"]
