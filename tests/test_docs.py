"""Every code block in the README and in docs/ runs."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from .cli.conftest import stnkit_main  # noqa: F401 a fixture

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(language, text, id=f"{page.name}-{text[: text.find(chr(10))][:50]}")
    for page in PAGES
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
]
# What a reader's command gets in addition, so that it ends in seconds, and instead, so that it downloads nothing.
SHORT = ["training.epochs=1", "training.progress=false"]
INSTEAD = {"dataset=mnist": "dataset=digits"}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_a_code_block_runs(language, text, stnkit_main):  # noqa: F811
    if language == "python":
        exec(compile(text, "block", "exec"), {"__name__": "block"})
    elif language == "toml":
        assert tomllib.loads(text)
    elif language == "yaml":
        assert OmegaConf.create(text)
    else:
        assert language == "bash"
        for line in text.splitlines():
            _run(line.split("#")[0].split(), stnkit_main)


def _run(words, stnkit_main):  # noqa: F811
    if words[0] == "make":
        # Dry: it would run these very tests.
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    else:
        assert words[0] == "stnkit"
        arguments = [INSTEAD.get(word, word) for word in words[1:] if not _only_for_mnist(word, words)]
        if arguments[0] == "train" and "--help" not in arguments:
            arguments += SHORT
        code, _, err = stnkit_main(*arguments)
        assert code == 0, err


def _only_for_mnist(word, words):
    return "dataset=mnist" in words and word.startswith("dataset.")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_that_are_there(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_paths_that_are_named_are_there(page):
    for path in re.findall(r"`((?:stnkit|plugins|conf|tests|docs|benchmarks|examples)/[\w./-]*)`", page.read_text()):
        assert (ROOT / path).exists(), path
