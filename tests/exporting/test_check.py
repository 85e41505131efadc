"""Runtimes of a file, each in a process of its own: those that are installed, and ones that fail in every way."""

import os
import subprocess
import sys

import pytest

import stnkit
from stnkit.errors import InputError
from stnkit.exporting.check import check, installed_runtimes
from stnkit.exporting.onnx_file import OnnxFile
from stnkit.exporting.reference import read_reference
from tests.exporting.networks import images, network

pytestmark = [pytest.mark.no_jaxtyping, pytest.mark.slow, pytest.mark.process]

# A tract that is onnxruntime, up to what it gives.
TRACT = """
import onnxruntime

class onnx:
    def load(self, path):
        self.session = onnxruntime.InferenceSession(path)
        return self
    def into_model(self):
        return self
    into_runnable = into_model
    def run(self, images):
        return [Value(value) for value in self.session.run(None, {"image": images[0]})]

class Value:
    def __init__(self, value):
        self.value = value
    def to_numpy(self):
        return self.value GIVEN
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "network.onnx"
    stnkit.export(network(), images(), path, reference=True)
    return OnnxFile(path), read_reference(path.with_name("network.onnx.reference.npz"))


@pytest.fixture
def in_tract(exported, make_distribution, monkeypatch):
    """The answer of a runtime that is installed as tract, of which this is the module."""

    def run(text):
        monkeypatch.setenv("PYTHONPATH", str(make_distribution("tract", {"tract": text}, {})), prepend=os.pathsep)
        (found,) = check(*exported, ["tract"])
        assert (found.runtime, found.version, found.setting) == ("tract", "1.0", "")
        return found

    return run


@pytest.mark.parametrize("name", installed_runtimes())
def test_a_runtime_that_is_installed_gives_the_outputs(name, exported):
    found, *_ = check(*exported, [name])
    assert found.refusal == ""
    assert list(found.differences) == ["logits", "warped"]
    assert found.agrees(1e-4)


def test_a_runtime_that_computes_the_same_is_equal(in_tract):
    assert in_tract(TRACT.replace("GIVEN", "")).agrees(1e-4)


def test_a_warp_that_the_logits_do_not_show_differs(in_tract):
    found = in_tract(TRACT.replace("GIVEN", "+ 0.01 * (self.value.ndim == 4)"))
    assert found.differences["logits"] < 1e-4
    assert found.differences["warped"] == pytest.approx(0.01, rel=1e-3)
    assert not found.agrees(1e-4)


@pytest.mark.parametrize("given", ["[:, :1]", "* float('nan')"])
def test_another_shape_and_nan_are_no_outputs(given, in_tract):
    found = in_tract(TRACT.replace("GIVEN", given))
    assert found.differences["logits"] == float("inf")
    assert not found.agrees(1e9)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("import os; os.abort()", "its process was ended by SIGABRT"),
        ("raise OSError('no Gemm Stack backtrace: 0: <std::rt>')", "OSError: no Gemm"),
        ("import os; os._exit(7)", "its process ended with exit code 7"),
        ("raise ValueError('GridSample is\\n unknown')", "ValueError: GridSample is unknown"),
        (
            "print('[11:30:01] :220: These Op Not Support: IsNaN'); raise OSError('no model')",
            "OSError: no model: These Op Not Support: IsNaN",
        ),
    ],
)
def test_a_runtime_that_fails_is_a_row_with_its_reason(text, refusal, in_tract):
    found = in_tract(text)
    assert (found.refusal, found.differences) == (refusal, {})
    assert not found.agrees(1e9)


def test_a_reference_of_another_kind_is_one_sentence(tmp_path):
    (tmp_path / "a.npz").write_text("no zip file")
    with pytest.raises(InputError, match=r"a.npz: expected a reference that `stnkit export --reference` wrote, got"):
        read_reference(tmp_path / "a.npz")


def test_onnxruntime_leaves_nothing_in_the_home_folder(exported, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    told = {key: value for key, value in os.environ.items() if key not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    code = (
        "import pathlib, sys; from stnkit.exporting.runtimes.onnxruntime import load; load(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, exported[0].path], env=told | {"HOME": str(home)}, check=True)
    assert list(home.rglob("*")) == []
