"""`stnkit export`: files of a run, checks of such files in runtimes, and mistakes."""

import json
import shutil
import sys

import numpy as np
import onnx
import pytest
import torch

import stnkit
from stnkit.cli.completion import answers
from stnkit.exporting.check import installed_runtimes
from tests.exporting.networks import metadata_of, outputs_of
from tests.helpers import QUICK, trained

pytestmark = pytest.mark.no_jaxtyping


@pytest.fixture(scope="module")
def exported(quick_run, tmp_path_factory):
    """The file of the run's network with its reference, and what the command printed as JSON."""
    import contextlib
    import io

    from stnkit.cli.main import main

    path, out = tmp_path_factory.mktemp("exported") / "network.onnx", io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["export", str(quick_run), "--output", str(path), "--reference", "--json"]) == 0
    return path, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def without_transformer(tmp_path_factory):
    """A run with placement=none."""
    return trained(tmp_path_factory.mktemp("plain"), *QUICK, "placement=none", "training.epochs=1")


@pytest.mark.slow
def test_the_file_gives_the_logits_of_the_run(exported, quick_run):
    path, _ = exported
    run = stnkit.load_run(quick_run)
    images = run.data.fixed("test").images[20:24]
    (name,) = outputs_of(path, images)
    assert name == "logits"
    with torch.no_grad():
        torch.testing.assert_close(outputs_of(path, images)[name], run.network(images), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_the_metadata_name_classes_range_and_run(exported, quick_run):
    path, told = exported
    metadata = metadata_of(path)
    assert metadata["stnkit.run"] == str(quick_run)
    assert metadata["stnkit.part"] == "network"
    assert metadata["stnkit.value_range"] == [0, 1]
    assert metadata["stnkit.classes"] == stnkit.build("dataset", "digits").class_names
    assert metadata["stnkit.transform"]["name"] == "affine"
    assert metadata["stnkit.pair"] is False
    assert told["outputs"] == {"logits": [10]}
    assert told["differences"].keys() == {"logits", "warped", "theta"}


@pytest.mark.slow
def test_the_transformer_alone_gives_the_warped_image(quick_run, stnkit_main):
    arguments = ("--part", "transformer", "--theta", "--to", "torch", "--output", "transformer.pt2")
    code, out, err = stnkit_main("export", quick_run, *arguments)
    assert (code, err) == (0, "")
    assert "in batches of 1, 3 and 5, in torch.export" in out
    run = stnkit.load_run(quick_run)
    images = run.data.fixed("test").images[:2]
    found = torch.export.load("transformer.pt2").module()(images)
    torch.testing.assert_close(found["warped"], run.network.transformer(images).detach())
    torch.testing.assert_close(found["theta"], run.network.transformer.localize(images).detach())


@pytest.mark.process
@pytest.mark.slow
def test_a_check_compares_the_warped_image_too(exported, stnkit_main):
    path, _ = exported
    code, out, err = stnkit_main("export", "--check", path, "--runtime", "onnxruntime")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["runtime", "version", "logits", "warped", "result"] in lines
    (row,) = [line for line in lines if line[:1] == ["onnxruntime"]]
    assert row[-1] == "equal"
    assert out.startswith(f"{path}: the largest differences from {path}.reference.npz, equal up to 0.0001\n")


@pytest.mark.process
@pytest.mark.slow
def test_a_check_with_the_run_needs_no_reference(exported, quick_run, stnkit_main):
    shutil.copy(exported[0], "copy.onnx")
    code, out, err = stnkit_main("export", quick_run, "--check", "copy.onnx", "--json")
    assert err == ""
    told = json.loads(out)
    assert {row["runtime"] for row in told} == set(installed_runtimes())
    assert told[0] == {
        "runtime": "onnxruntime",
        "version": told[0]["version"],
        "setting": "",
        "differences": told[0]["differences"],
        "refusal": "",
        "equal": True,
    }
    assert code == (0 if all(row["equal"] for row in told if not row["setting"]) else 1)


@pytest.mark.process
@pytest.mark.slow
def test_a_file_with_other_weights_differs(exported, stnkit_main):
    model = onnx.load(exported[0])
    weights = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    weights.raw_data = (1.1 * np.frombuffer(weights.raw_data, np.float32)).tobytes()
    onnx.save(model, "altered.onnx")
    shutil.copy(f"{exported[0]}.reference.npz", "altered.onnx.reference.npz")
    code, out, err = stnkit_main("export", "--check", "altered.onnx", "--runtime", "onnxruntime")
    assert (code, err) == (1, "")
    assert "differs" in out


MISTAKES = [
    ("", "expected a run directory and --output FILE, or --check FILE, got neither"),
    ("RUN", "expected a run directory and --output FILE, or --check FILE, got no --output"),
    ("--output network.onnx", "expected a run directory and --output FILE, or --check FILE, got no run"),
    ("RUN --output .", ".: expected the name of a new file, got a folder"),
    ("RUN --output network.onnx --to tflite", "expected one of the formats onnx, torch, aoti, got 'tflite'"),
    (
        "RUN --output network.pt2 --to onnx",
        "network.pt2: expected another suffix for the format onnx, got that of torch",
    ),
    ("RUN --output nowhere/network.onnx", "nowhere/network.onnx: expected a file in a folder that exists, got nowhere"),
    ("RUN --output taken.onnx", "taken.onnx: expected the name of a new file, got one that exists"),
    ("RUN --output network.onnx --opset 9", "expected an opset from 16 to "),
    ("RUN --output network.onnx --opset x", "argument --opset: invalid int value: 'x'"),
    ("RUN --output network.onnx --tolerance 0", "argument --tolerance: expected a number above 0, got '0'"),
    ("RUN --output network.onnx --part head", "argument --part: invalid choice: 'head'"),
    ("RUN --output network.onnx --runtime tract", "--runtime: expected --check FILE beside it, got none"),
    ("nowhere --output network.onnx", "expected a run directory, got nowhere, which has no metrics.json"),
    ("--check nowhere.onnx", "nowhere.onnx: expected an ONNX file, got none: No such file or directory"),
    ("--check taken.onnx", "taken.onnx: expected an ONNX file, got another kind of file"),
    ("--check empty.onnx", "empty.onnx: expected an ONNX file that stnkit exported, got one without its metadata"),
    ("--check taken.onnx --runtime nonsense", "expected runtimes of onnxruntime, openvino, tract, mnn, got 'nonsense'"),
    ("--check taken.onnx --half", "--check: expected a file and perhaps its run, got --half too"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_a_mistake_is_one_sentence(words, message, quick_run, stnkit_main, tmp_path):
    (tmp_path / "taken.onnx").write_text("no model, but a text that ends here")
    (tmp_path / "empty.onnx").write_bytes(b"")
    before = sorted(tmp_path.iterdir())
    code, out, err = stnkit_main("export", *[str(quick_run) if word == "RUN" else word for word in words.split()])
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("stnkit export: ")
    assert message in line
    assert sorted(tmp_path.iterdir()) == before


def test_a_runtime_that_is_missing_names_its_package(stnkit_main, monkeypatch):
    monkeypatch.setattr("stnkit.exporting.check._is_installed", lambda module: module != "MNN")
    code, _, err = stnkit_main("export", "--check", "network.onnx", "--runtime", "onnxruntime,mnn")
    assert (code, err) == (2, "stnkit export: the runtime mnn is not installed: pip install MNN\n")


def test_a_check_without_onnx_names_the_extra(stnkit_main, monkeypatch):
    for module in [name for name in sys.modules if name in ("stnkit.cli.export_check", "stnkit.exporting.check")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "stnkit.exporting.onnx_file", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = stnkit_main("export", "--check", "network.onnx")
    assert (code, err) == (2, "stnkit export: onnx is not installed: pip install 'stnkit[export]'\n")


@pytest.mark.slow
def test_a_copy_without_run_and_reference_asks_for_one(exported, stnkit_main):
    model = onnx.load(exported[0])
    for entry in model.metadata_props:
        if entry.key == "stnkit.run":
            entry.value = '"elsewhere"'
    onnx.save(model, "copy.onnx")
    code, _, err = stnkit_main("export", "--check", "copy.onnx")
    assert code == 2
    assert err == (
        "stnkit export: copy.onnx: expected its run directory or copy.onnx.reference.npz, which --reference writes, "
        "beside it, got none\n"
    )


@pytest.mark.training
def test_a_run_without_a_transformer_has_no_such_part(without_transformer, stnkit_main, tmp_path):
    for arguments, message in (
        (
            ("--part", "transformer"),
            "a run with a transformer at its input for the part transformer, got none",
        ),
        (("--theta",), "expected a network with a transformer for the output theta, got TransformedNetwork"),
    ):
        code, _, err = stnkit_main("export", without_transformer, "--output", "network.onnx", *arguments)
        assert code == 2
        assert message in err
    assert not list(tmp_path.iterdir())


def test_formats_parts_and_runtimes_are_completed():
    assert answers("stnkit export runs/a --to ao") == ["aoti "]
    assert answers("stnkit export runs/a --part ") == ["network ", "transformer "]
    assert answers("stnkit export --check a.onnx --runtime tr") == ["tract "]
