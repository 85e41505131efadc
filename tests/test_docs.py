"""Every code block in the README and in docs/ runs."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from tests.helpers import ROOT, use_few_digits

FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "findings/README.md")]
PAGES = [*FRONT, *sorted((ROOT / "docs").rglob("*.md"))]
# The blocks of each are one session: each goes on where the one above it ended.
SESSIONS = [
    ROOT / "docs" / name
    for name in ("apply.md", "write-a-plugin.md", "data.md", "homography.md", "plugins/objective.md", "registration.md")
]


def blocks_of(page):
    return re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def groups_of(page):
    """Each block, with the one below it that reads from the folder of its `--output`."""
    groups = []
    for block in blocks_of(page):
        written = re.findall(r"--output (\w+)", groups[-1][-1][1]) if groups else []
        if any(f"{folder}/" in block[1] for folder in written):
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


BLOCKS = [
    pytest.param(blocks, id=f"{page.name}-{blocks[0][1][: blocks[0][1].find(chr(10))][:50]}")
    for page in PAGES
    if page not in SESSIONS
    for blocks in groups_of(page)
] + [pytest.param(blocks_of(page), id=page.name) for page in SESSIONS]
# What a reader's command gets in addition, so that it ends in seconds, and instead, so that it downloads nothing.
SHORT = ["training.epochs=1", "training.progress=false"]
SMALL = ["network=paper_fcn", "localizer=fully_connected", "training.batch_size=256"]
# Of runs that no other network or localizer fits.
OWN_COMPONENTS = {"dataset=pairs", "experiment=homography"}
OWN_COMPONENTS |= {f"objective={name}" for name in ("alignment", "registration", "pose")}
INSTEAD = {"dataset=mnist": "dataset=digits"}
PYTEST = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.process
@pytest.mark.training
def test_code_blocks_run(blocks, stnkit_main, stnkit_process, install, monkeypatch, request):
    use_few_digits(monkeypatch)
    for language, text in blocks:
        if "=timm" in text:
            request.getfixturevalue("timm")
        if "dataset.root=photos" in text:
            _make_photos(Path("photos"))
        if language == "python":
            _execute(text, monkeypatch)
        elif language == "toml":
            assert tomllib.loads(text)
        elif language == "yaml":
            assert OmegaConf.create(text)
        else:
            assert language == "bash"
            for line in text.splitlines():
                _run(shlex.split(line, comments=True), stnkit_main, stnkit_process, install)


def _make_photos(folder):
    """Sixty images in three classes."""
    for label, color in enumerate(("red", "green", "blue")):
        (folder / color).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (64, 48), color).rotate(10 * label + number).save(folder / color / f"{number}.png")


def _execute(text, monkeypatch):
    """Run a block, or save it where its first line is the name of a file."""
    if file := re.match(r"# (\w+\.py)\n", text):
        assert Path(file[1]).is_file(), "a block replaces a file that is there"
        Path(file[1]).write_text(text)
        return
    block = types.ModuleType("block")
    monkeypatch.setitem(sys.modules, "block", block)  # classes can be pickled
    exec(compile(text, "block", "exec"), vars(block))


def _run(words, stnkit_main, stnkit_process, install):
    if words[0] == "make":
        # Dry: it would run these very tests.
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "cd":
        os.chdir(words[1])  # `stnkit_main` goes back
    elif words[0] == "pip":
        assert words[1:3] == ["install", "-e"]
        install(Path.cwd(), editable=True)
    elif words[0] == "pytest":
        # A part of it: the checks of a new package run in full in test_scaffold.py.
        process = stnkit_process(*words[1:], "-k", "identity or large_theta", code=PYTEST, cwd=Path.cwd())
        assert process.wait(timeout=120) == 0, process.communicate()
    else:
        assert words[0] == "stnkit"
        arguments = [INSTEAD.get(word, word) for word in words[1:] if not _only_for_mnist(word, words)]
        if arguments[0] == "train" and "--help" not in arguments:
            arguments += [word for word in SHORT if not _is_small(arguments, word)]
            chosen = {word.partition("=")[0] for word in arguments}
            chosen |= {name.partition(".")[0] for name in chosen if not name.startswith("training")}
            chosen |= {"network", "localizer"} if OWN_COMPONENTS & {*arguments} else set()
            arguments += [word for word in SMALL if word.partition("=")[0] not in chosen]
        code, _, err = stnkit_main(*arguments)
        assert code == 0, err


def _is_small(arguments, short):
    """True where a command gives the option itself, and as small: a longer run goes on with a run of two epochs."""
    key = short.partition("=")[0]
    return any(re.fullmatch(rf"{key}=[1-4]", word) for word in arguments)


def _only_for_mnist(word, words):
    return "dataset=mnist" in words and word.startswith("dataset.")


def test_no_two_commands_of_the_pages_write_to_one_place():
    """Who follows them all in one folder is never refused."""
    commands = [
        (page.name, line, re.findall(r"(?:hydra\.(?:run|sweep)\.dir=|--output )(\S+)", line))
        for page in PAGES
        for language, text in blocks_of(page)
        if language == "bash"
        for line in text.splitlines()
        if "skip_completed=true" not in line
    ]
    written = [place for _, _, places in commands for place in places]
    twice = {place for place in written if written.count(place) > 1}
    assert len(written) > 12
    assert not twice, [(page, line) for page, line, places in commands if twice & {*places}]


def test_the_page_on_architecture_has_every_module_of_the_core():
    page = (ROOT / "docs" / "architecture.md").read_text()
    modules = [p.name for p in (ROOT / "stnkit").glob("*.py") if p.name[:1] != "_"]
    here = [*modules, *(f"{p.parent.name}/" for p in (ROOT / "stnkit").glob("*/__init__.py"))]
    assert not [name for name in here if f"`stnkit/{name}`" not in page]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_that_are_there(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths_that_are_named_are_there(page):
    for path in re.findall(r"`((?:stnkit|plugins|conf|tests|docs|benchmarks|examples)/[\w./-]*)`", page.read_text()):
        assert (ROOT / path).exists(), path
