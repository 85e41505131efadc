"""The page of examples/web in a real browser, with the runtime from npm, compared with eager torch."""

import base64
import functools
import hashlib
import http.server
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
import torch

import stnkit
from tests.browser import opened
from tests.helpers import ROOT

PAGE = ROOT / "examples" / "web"
PACKAGE = "onnxruntime-web@1.30.0"
FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
STROKES = [[(-60, -50), (40, -70), (10, 80)], [(-30, 10), (60, 0)]]

pytestmark = [pytest.mark.process, pytest.mark.training, pytest.mark.no_jaxtyping]


@pytest.fixture(scope="module")
def runtime(request):
    """The folder of onnxruntime-web's files, from npm once and then from pytest's cache."""
    folder = request.config.cache.mkdir("onnxruntime-web-1.30.0") / "dist"
    if not folder.is_dir():
        if not shutil.which("npm"):
            pytest.skip(f"no npm, which fetches {PACKAGE}")
        with tempfile.TemporaryDirectory(dir=folder.parent) as fetched:
            command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", fetched]
            packed = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if packed.returncode:
                pytest.skip(f"npm could not fetch {PACKAGE}: {packed.stderr.strip()[:200]}")
            (archive,) = Path(fetched).glob("*.tgz")
            shutil.unpack_archive(archive, fetched, filter="data")
            taken = Path(fetched) / "dist"
            taken.mkdir()
            for name in FILES:
                shutil.move(Path(fetched) / "package" / "dist" / name, taken)
            taken.rename(folder)
    return folder


@pytest.fixture(scope="module")
def network(quick_run):
    """A trained network that turns and shifts every image."""
    network = stnkit.load_run(quick_run).network
    with torch.no_grad():
        network.transformer.head.offset += torch.tensor([-0.3, 0.2, 0.1, -0.2, -0.3, 0.05])
    return network


@pytest.fixture(scope="module")
def site(network, runtime, tmp_path_factory):
    """A folder with the page, the runtime and the network."""
    folder = tmp_path_factory.mktemp("web") / "site"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("*.onnx", "onnxruntime-web"))
    (folder / "onnxruntime-web").symlink_to(runtime)
    stnkit.export(network, torch.rand(5, 1, 42, 42), folder / "digits.onnx", warped=True, theta=True)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("chromium")) as browser:
        browser.set_script_timeout(60)
        yield browser


@pytest.fixture
def visit(browser):
    """Serves a folder and opens the page there, with the runtime from its own folder."""
    servers = []

    def go(folder):
        handler = functools.partial(QuietHandler, directory=folder)
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        browser.get(f"http://127.0.0.1:{servers[-1].server_port}/?local")
        return browser

    yield go
    for server in servers:
        server.shutdown()
        server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Standard error stays empty."""


def computed(page):
    """The arrays of the page, when all that was drawn has been computed."""
    script = """
        const done = arguments[0];
        import("./page.js").then(async ({ update, last }) => {
            await update();
            done(Object.fromEntries(Object.entries(last).map(([name, values]) => [name, [...values]])));
        });
    """
    return {name: torch.tensor(values) for name, values in page.execute_async_script(script).items()}


def draw(page):
    from selenium.webdriver.common.action_chains import ActionChains

    canvas, actions = page.find_element("id", "drawing"), ActionChains(page, duration=20)
    for start, *rest in STROKES:
        actions.move_to_element_with_offset(canvas, *start).click_and_hold()
        for point in rest:
            actions.move_to_element_with_offset(canvas, *point)
        actions.release()
    actions.perform()


def equals_eager(found, network):
    image = found["input"].view(1, 1, 42, 42)
    assert image.min() == 0
    assert image.max() > 0.99
    with torch.no_grad():
        theta = network.transformer.localize(image)
        expected = {"logits": network(image), "warped": network.transformer(image), "theta": theta}
    assert (expected["warped"] - image).abs().max() > 0.5, "a network that does not warp would prove nothing"
    for name, right in expected.items():
        torch.testing.assert_close(found[name].view_as(right), right, atol=1e-4, rtol=0)


def test_a_drawing_is_straightened_as_by_eager_torch(site, visit, network):
    page = visit(site)
    assert computed(page)["input"].max() == 0
    assert page.find_element("id", "verdict").text == "Draw a digit"
    draw(page)
    found = computed(page)
    equals_eager(found, network)
    shown = page.execute_script(
        "const c = document.getElementById('straightened');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    levels = torch.tensor(shown).view(42, 42, 4)
    torch.testing.assert_close(levels[..., 0] / 255, found["warped"].view(42, 42), atol=0.5 / 255 + 1e-6, rtol=0)
    probabilities = found["logits"].softmax(0)
    best = int(probabilities.argmax())
    assert page.find_element("id", "verdict").text == f"A {best}, with {round(100 * float(probabilities[best]))} %"
    assert page.get_log("browser") == []


def test_the_slider_turns_an_example_by_keyboard(site, visit, network):
    from selenium.webdriver.common.keys import Keys

    page = visit(site)
    page.find_element("css selector", "[data-example='4']").send_keys(Keys.ENTER)
    upright = computed(page)["input"]
    page.find_element("id", "turn").send_keys(Keys.END)
    turned = computed(page)
    equals_eager(turned, network)
    assert page.find_element("id", "degrees").text == "60°"
    # Turning neither adds nor removes ink, but moves it.
    assert float(turned["input"].sum()) == pytest.approx(float(upright.sum()), rel=0.02)
    assert (turned["input"] - upright).abs().max() > 0.9
    # The first corner of the grid is T_θ(−1, −1).
    a, b, c, d, e, f = turned["theta"].tolist()
    path = page.find_element("css selector", "#grid path").get_attribute("d")
    corner = [float(number) for number in re.match(r"M(\S+) ([^L]+)L", path).groups()]
    assert corner == pytest.approx([c - a - b, f - d - e], abs=1e-5)


def test_a_missing_network_is_one_sentence(site, visit, tmp_path):
    shutil.copytree(site, tmp_path / "site", symlinks=True, ignore=shutil.ignore_patterns("*.onnx"))
    page = visit(tmp_path / "site")
    page.execute_async_script("const done = arguments[0]; import('./page.js').then((page) => page.update()).then(done)")
    expected = "expected digits.onnx beside this page, got none: README.md has the command"
    assert page.find_element("id", "verdict").text == expected
    (entry,) = page.get_log("browser")
    assert "404" in entry["message"]


def test_the_hashes_are_those_of_the_runtime(runtime):
    page = "".join(path.read_text() for path in PAGE.iterdir() if path.suffix in (".html", ".js"))
    for name in FILES:
        digest = base64.b64encode(hashlib.sha384((runtime / name).read_bytes()).digest()).decode()
        assert f"sha384-{digest}" in page
    assert f"/npm/{PACKAGE}/dist/" in page


def test_the_page_needs_nothing_but_itself_and_the_runtime():
    texts = [path.read_text() for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js")]
    assert {*re.findall(r"https?://([^/\"]+)", "".join(texts))} == {"cdn.jsdelivr.net"}
    assert all(len(text.splitlines()) <= 130 for text in texts)
