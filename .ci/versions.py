"""Install the lowest and the newest versions that pyproject.toml allows, train a network and run tests with each.

    make versions
    make versions ARGS='--only lowest --python 3.12 --torch torch==2.13.0+cpu -- tests/families -k affine'

Prints the rows of the table in CONTRIBUTING.md. uv resolves both sets, `lowest-direct` and `highest`; each has an
environment of its own, which is made anew. `--torch` asks for a build of torch, such as one without CUDA.
"""

import argparse
import datetime as dt
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
SHOWN = ("torch", "lightning", "hydra-core", "numpy", "scipy", "jaxtyping", "beartype")
TESTERS = ("greenlet", "hypothesis", "onnx", "onnxruntime", "onnxscript", "pytest", "pytest-benchmark", "pytest-xdist")
# No process and no training, with the shape checks: beartype and jaxtyping are among the versions.
QUICK = ("-m", "not slow and not process and not training", "--numprocesses", "2", "--dist", "worksteal", "--quiet")
TRAINING = ("train", "dataset=digits", "network=paper_fcn", "training.epochs=1", "training.progress=false")


def main() -> int:
    """Make, train and test each set; the exit code is 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=RESOLUTIONS, help="one of the two sets")
    parser.add_argument("--python", default=platform.python_version(), help="of the environments (%(default)s)")
    parser.add_argument("--torch", metavar="REQUIREMENT", help="torch that is installed in place of the resolved one")
    parser.add_argument("tests", nargs="*", help="arguments of pytest, after --")
    given = parser.parse_args()
    environments = ROOT / ".venv-versions"
    rows = []
    for name in [given.only] if given.only else RESOLUTIONS:
        python = _install(name, environments / name, given.python, given.torch)
        rows.append(_row(name, python, _train(python), _test(python, given.tests)))
    print("\n| " + " | ".join(["set", "date", "Python", *SHOWN, "trains", "tests"]) + " |")
    print("|" + "---|" * (len(SHOWN) + 5))
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return int(any(row[-2] != "yes" or "failed" in row[-1] or "error" in row[-1] for row in rows))


def _install(name: str, environment: Path, version: str, torch: str | None) -> Path:
    """The interpreter of a new environment with one of the two sets; the extras of ray and the loggers are left out."""
    uv = Path(sys.executable).parent / "uv"
    python = environment / "bin" / "python"
    _run(uv, "venv", "--quiet", "--clear", "--python", version, environment)
    chosen, options = environment / "requirements.txt", ["--extra", "joblib", "--extra", "tensorboard"]
    if torch:
        override = environment / "override.txt"
        override.write_text(f"{torch}\n")
        options += ["--override", str(override)]
    options += ["--python", str(python), "--resolution", RESOLUTIONS[name], "--output-file", str(chosen)]
    _run(uv, "pip", "compile", "--quiet", *options, ROOT / "pyproject.toml")
    _run(uv, "pip", "install", "--quiet", "--python", python, "--requirement", chosen, *TESTERS)
    _run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--editable", ROOT)
    return python


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True)


def _train(python: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        program = [str(python.with_name("stnkit")), *TRAINING, f"hydra.run.dir={folder}/run"]
        return "yes" if subprocess.run(program, cwd=folder, check=False).returncode == 0 else "no"


def _test(python: Path, arguments: list[str]) -> str:
    """The last line of pytest, without its time and decoration."""
    command = [python, "-m", "pytest", *(arguments or QUICK)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        last = ""
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line
    counts = re.search(r"\d+ \w+(, \d+ \w+)*", last)
    return counts[0] if counts else f"error: pytest ended with {process.returncode}"


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def _row(name: str, python: Path, trains: str, tests: str) -> list[str]:
    code = (
        "import importlib.metadata as m, platform; print(platform.python_version(), "
        f"*(m.version(name) for name in {SHOWN!r}))"
    )
    versions = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return [name, dt.date.today().isoformat(), *versions, trains, tests]


if __name__ == "__main__":
    sys.exit(main())
