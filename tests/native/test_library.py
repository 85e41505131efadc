import importlib
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import stnkit
from stnkit.native import library
from tests.native.cases import needs_library


@pytest.fixture
def fake(monkeypatch):
    """Puts a module, or the error of its import, in place of the compiled library."""

    def put(made):
        imported = importlib.import_module

        def found(name, *args):
            if name != library.NAME:
                return imported(name, *args)
            if isinstance(made, Exception):
                raise made
            return made

        monkeypatch.setattr(library.importlib, "import_module", found)

    return put


def kernels(**changed):
    made = types.ModuleType("_kernels")
    vars(made).update({"INTERFACE": library.INTERFACE, "supports_this_cpu": lambda: True, **changed})
    return made


@pytest.mark.parametrize("wish", [{}, {library.VARIABLE: ""}, {library.VARIABLE: "auto"}])
def test_a_library_that_fits_is_used(fake, wish):
    made = kernels()
    fake(made)
    assert library.load(wish) == (made, library.Status(True))
    assert str(library.load(wish)[1]) == "native warp: used"


def test_zero_switches_it_off(fake):
    fake(AssertionError("imported"))
    found, state = library.load({library.VARIABLE: "0"})
    assert found is None
    assert str(state) == "native warp: not used, STNKIT_NATIVE is 0"


MISSING = [
    (ModuleNotFoundError("No module named 'stnkit.native._kernels'"), "there was no C++ compiler"),
    (
        ImportError("_kernels.abi3.so: file too short"),
        "cannot be loaded: ImportError: _kernels.abi3.so: file too short",
    ),
    (RuntimeError("forbidden here"), "cannot be loaded: RuntimeError: forbidden here"),
    (kernels(INTERFACE=-1), "built from another version of its source"),
    (kernels(supports_this_cpu=lambda: False), "this processor has no AVX2"),
    (types.ModuleType("_kernels"), "cannot be loaded: AttributeError"),
]


@pytest.mark.parametrize(("made", "reason"), MISSING, ids=lambda x: x if isinstance(x, str) else "")
def test_what_is_no_library_of_ours_is_done_without(fake, made, reason):
    fake(made)
    found, state = library.load({})
    assert found is None
    assert not state.used
    assert not state.required
    assert reason in state.reason
    assert library.load({library.VARIABLE: "1"})[1].required


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ("1", "STNKIT_NATIVE is 1, but the library was not built: there was no C++ compiler, or it failed"),
        ("yes", "STNKIT_NATIVE: expected 0, 1 or auto, got 'yes'"),
    ],
)
def test_a_required_library_that_is_missing_is_one_sentence(fake, monkeypatch, wish, sentence):
    fake(ModuleNotFoundError())
    found, state = library.load({library.VARIABLE: wish})
    monkeypatch.setattr(library, "_kernels", found)
    monkeypatch.setattr(library, "_status", state)
    with pytest.raises(stnkit.errors.NativeError) as error:
        library.kernels()
    assert str(error.value) == sentence
    assert str(stnkit.native.status()).endswith(state.reason)


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.mark.process
@pytest.mark.parametrize(("wish", "code"), [("0", 0), ("yes", 0)])
def test_the_version_tells_without_torch(wish, code):
    ran = run(
        "import sys; from stnkit.cli.main import main; code = main(['--version']); "
        "assert 'torch' not in sys.modules; sys.exit(code)",
        STNKIT_NATIVE=wish,
    )
    assert ran.returncode == code, ran.stderr
    version, told = ran.stdout.splitlines()
    assert version == stnkit.__version__
    assert told.startswith("native warp: not used, STNKIT_NATIVE")


def told_of(file):
    """The status in a process that finds this file in place of the library."""
    code = (
        "import importlib.machinery as m, importlib.util as u, sys, stnkit.errors\n"
        "loader = m.ExtensionFileLoader('stnkit.native._kernels', sys.argv[1])\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'stnkit.native._kernels':\n"
        "            return u.spec_from_file_location(name, sys.argv[1], loader=loader)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "from stnkit.native import status; print(status())"
    )
    ran = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (line,) = ran.stdout.splitlines()
    return line


@pytest.mark.process
@pytest.mark.slow
@needs_library
def test_a_truncated_library_is_done_without(tmp_path):
    whole = Path(library.kernels().__file__).read_bytes()
    file = tmp_path / "_kernels.abi3.so"
    for share in (0, 0.001, 0.01, 0.5, 0.99):
        file.write_bytes(whole[: int(share * len(whole))])
        assert told_of(file) == "native warp: not used, the library is cut short"


@pytest.mark.process
@pytest.mark.slow
@needs_library
@pytest.mark.skipif(sys.platform != "linux", reason="the format of the file")
def test_a_half_written_or_foreign_library_is_done_without(tmp_path):
    whole = Path(library.kernels().__file__).read_bytes()
    file = tmp_path / "_kernels.abi3.so"
    file.write_bytes(whole[:200_000].ljust(len(whole), b"\0"))
    assert told_of(file) == "native warp: not used, the library is cut short"
    file.write_bytes(whole[:18] + b"\xf3" + whole[19:])  # RISC-V
    assert told_of(file) == "native warp: not used, the library was built for another kind of processor"
    file.write_text("no library " * 9)
    assert told_of(file).startswith("native warp: not used, the library cannot be loaded: ImportError")


@pytest.mark.process
@pytest.mark.slow
def test_a_warp_without_the_required_library_is_one_sentence():
    ran = run(
        "import sys; sys.modules['stnkit.native._kernels'] = None\n"
        "import stnkit, torch\n"
        "try:\n"
        "    stnkit.build('sampler', 'bilinear')(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 1, 2))\n"
        "except stnkit.errors.NativeError as error:\n"
        "    print(error)",
        STNKIT_NATIVE="1",
    )
    assert ran.stdout.splitlines() == [
        "STNKIT_NATIVE is 1, but the library was not built: there was no C++ compiler, or it failed"
    ], ran.stderr
