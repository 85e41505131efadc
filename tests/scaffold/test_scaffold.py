"""The package that `stnkit plugins new` writes works at once, for every kind, by the printed commands."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from stnkit.plugin_system.kinds import KINDS
from tests.helpers import QUICK, metrics
from tests.testing.inner_pytest import run_pytest

RUFF = shutil.which("ruff", path=Path(sys.executable).parent)


def quick_without(*kinds):
    """The words of a short run on small images that leave the choice of these kinds open."""
    quick = [*QUICK, "distortion=rotation", "training.epochs=1"]
    return [word for word in quick if not word.startswith(kinds)]


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.process
@pytest.mark.training
def test_every_kind_installs_passes_its_tests_and_trains(stnkit_main, install, tmp_path):
    packages = []
    for kind in KINDS:
        code, _, err = stnkit_main("plugins", "new", kind, f"my_{kind}")
        assert code == 0, err
        packages.append(tmp_path / f"stnkit-my_{kind}")
    install(*packages)
    code, reports = run_pytest(tmp_path, "-W", "error", *packages)
    assert code == 0, reports.texts
    # Its images are drawn, so that there is nothing to skip.
    assert not [name for name in reports.named("skipped") if name.startswith("test_my_dataset.py")]
    for kind in KINDS:
        assert any(name.startswith(f"test_my_{kind}.py::") for name in reports.named("passed"))
        code, out, err = stnkit_main("plugins", "show", kind, f"my_{kind}")
        assert code == 0, err
        assert f"from stnkit-my_{kind} 0.1.0 (stnkit_my_{kind})" in out
    # Two runs, each with built-in components of the other kinds.
    halves = ("transform", "localizer", "sampler"), ("network", "dataset", "distortion", "objective")
    assert {*halves[0], *halves[1]} == set(KINDS)
    for kinds in halves:
        chosen = [f"{kind}=my_{kind}" for kind in kinds]
        code, _, err = stnkit_main("train", *quick_without(*kinds), *chosen, f"hydra.run.dir={kinds[0]}")
        assert (code, err) == (0, "")
        run = metrics(kinds[0])
        assert {kind: run["config"][kind]["name"] for kind in kinds} == {kind: f"my_{kind}" for kind in kinds}
        # θ leaves the identity: the templates can be trained.
        assert run["history"][0]["validation_theta_distance"] > 0


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
def test_the_printed_commands_lead_to_a_trained_run(tmp_path):
    """In a new environment, in a shell, word by word; only the training is made shorter."""
    venv.create(tmp_path / "env", with_pip=False)
    site = next((tmp_path / "env").glob("lib/*/site-packages"))
    # The packages of this environment, its own editable installs included, and nothing from an index.
    (site / "shared.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    programs = tmp_path / "env" / "bin"
    (programs / "stnkit").write_text(f"#!{programs / 'python'}\nfrom stnkit.cli.main import entry\nentry()\n")
    (programs / "stnkit").chmod(0o755)
    (tmp_path / "pip.conf").write_text("[global]\nno-index = true\n[install]\nno-build-isolation = false\n")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
        "OMP_NUM_THREADS": "1",
    }

    def shell(script):
        result = subprocess.run(
            ["bash", "-ec", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{script}\n{result.stdout}{result.stderr}"
        return result.stdout

    printed = shell("stnkit plugins new transform swirl")
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    assert commands == [
        "cd stnkit-swirl",
        "python -m pip install -e '.[test]'",
        "python -m pytest",
        "stnkit train transform=swirl",
    ]
    out = shell("\n".join([*commands[:-1], " ".join([commands[-1], *map(repr, quick_without("transform"))])]))
    assert "test error" in out
    assert not list(tmp_path.rglob("*.yaml")) or all("runs" in path.parts for path in tmp_path.rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_a_dataset_without_its_files_says_what_is_skipped(stnkit_main, tmp_path, capfd, monkeypatch):
    stnkit_main("plugins", "new", "dataset", "absent")
    package = tmp_path / "stnkit-absent"
    monkeypatch.syspath_prepend(str(package))
    module = package / "stnkit_absent.py"
    lines = module.read_text().splitlines()
    (split,) = [number for number, line in enumerate(lines) if line.startswith("    def split")]
    lines.insert(split + 1, '        raise stnkit.errors.DataError(f"images/{name}.npy is missing: copy it there")')
    module.write_text("\n".join(lines))
    code, reports = run_pytest(package, package, config=package / "pyproject.toml")
    out = capfd.readouterr().out
    assert (code, reports.named("failed")) == (0, [])
    assert reports.named("skipped")
    said = [line for line in out.splitlines() if line.startswith("SKIPPED")]
    assert any("its data is not here: images/train.npy is missing: copy it there" in line for line in said), out


def test_the_swirl_takes_at_most_15_lines_of_code(stnkit_main, tmp_path):
    stnkit_main("plugins", "new", "transform", "swirl")
    text = (tmp_path / "stnkit-swirl" / "stnkit_swirl.py").read_text()
    (swirl,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    written = text.splitlines()[swirl.body[0].end_lineno : swirl.end_lineno]  # after its docstring
    code = [line for line in written if line.strip() and not line.strip().startswith("#")]
    assert len(code) + 1 <= 15


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.process
def test_ruff_accepts_the_package(kind, stnkit_main, tmp_path):
    stnkit_main("plugins", "new", kind, "my_component")
    for command in (["check", "--select", "E,F,I,B,W"], ["format", "--check"]):
        result = subprocess.run(
            [
                RUFF,
                *command,
                "--line-length",
                "120",
                "--isolated",
                ".",
            ],
            cwd=tmp_path / "stnkit-my_component",
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout
