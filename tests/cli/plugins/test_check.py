import faulthandler
import io
import os
import signal

import pytest

COMPONENT = """
import torch, stnkit

class Leaves(stnkit.TransformFamily):
    \"\"\"T_θ(p) = p + θ + 1: its identity is none.\"\"\"
    n_params = 1

    def __init__(self, offset: float = 1.0):
        super().__init__()
        self.offset = offset

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, :, None] + self.offset

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("leaves", Leaves)
"""

pytestmark = pytest.mark.no_jaxtyping


@pytest.fixture
def leaves(make_distribution):
    make_distribution("leaving", {"checked_leaves": COMPONENT}, {"transform.leaves": "checked_leaves"})


@pytest.mark.parametrize("words", [["affine"], ["transform", "affine"], ["transform.affine", "ndim=3"]])
def test_a_correct_component_passes_all_checks(words, stnkit_main):
    code, out, err = stnkit_main("plugins", "check", *words)
    assert (code, err) == (0, "")
    *checks, summary = out.splitlines()
    assert any(line.split()[:2] == ["identity", "passed"] for line in checks)
    assert not any("failed" in line for line in out.splitlines())
    assert f"{len([line for line in checks if ' passed' in line])} passed" in summary


def test_a_failed_check_is_a_row_with_its_reason_and_code_1(stnkit_main, leaves):
    code, out, _ = stnkit_main("plugins", "check", "leaves")
    assert code == 1
    (row,) = [line for line in out.splitlines() if line.startswith("identity ")]
    assert row.split()[1] == "failed"
    assert len(row.split()) > 5


def test_an_expected_failure_is_shown_with_its_reason_and_code_0(stnkit_main, leaves):
    words = ["--expect", "identity=moves by one", "--expect", "inverse=none=known"]
    code, out, _ = stnkit_main("plugins", "check", "leaves", *words[:2])
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert (code, rows["identity"]) == (0, "expected failure moves by one")
    assert "1 expected failure" in out.splitlines()[-1]
    # One that passes is a failure, or the list of them would outlive the defects.
    code, out, _ = stnkit_main("plugins", "check", *words, "leaves")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert (code, rows["inverse"]) == (1, "unexpected pass it was expected to fail: none=known")
    assert rows["identity"].startswith("expected failure")


def test_options_are_written_as_in_train(stnkit_main, leaves):
    assert stnkit_main("plugins", "check", "leaves", "offset=0.0")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["afine"], "there is no component 'afine'; did you mean affine?\n"),
        (["xyzzy"], "there is no component 'xyzzy'; `stnkit plugins list` shows the components\n"),
        (["transform", "afine"], "there is no transform 'afine'; the transforms are"),
        (["trnsform", "affine"], "there is no kind 'trnsform'"),
        (["rts", "degrees"], "expected [KIND] NAME [OPTION=VALUE ...], got rts degrees"),
        (["rotation"], "'rotation' is a transform and a distortion: name the kind too"),
        (["affine", "dim=2"], "transform 'affine' has no option 'dim'"),
        (["affine", "ndim=4"], "plugins: transform 'affine': ndim: expected 2 or 3, got 4"),
        (["sampler", "bspline", "padding=nonsense"], "plugins: sampler 'bspline': padding: expected one of zeros"),
        (["paper_fcn", "hidden=[0]"], "plugins: network 'paper_fcn': hidden: expected one or more widths"),
        (["rts", "degrees=-1"], "plugins: distortion 'rts': degrees: expected a number between 0 and 180, got -1"),
        (["affine", "ndim=two"], "option ndim: expected int"),
        (["affine", "ndim=["], "ndim=[ cannot be parsed"),
        (["transform", "affine", "three"], "expected a component as NAME or KIND NAME, got transform affine three"),
        (["ndim=2"], "expected a component as NAME or KIND NAME, got none"),
        (
            ["affine", "--expect", "identiti=known"],
            "--expect: expected a check of a transform, such as 'identity', got 'identiti'; the checks are: ",
        ),
        (
            ["affine", "--expect", "identity"],
            "--expect: expected CHECK=REASON, the reason why the component fails it, got",
        ),
        (
            ["affine", "--expect", "shapes= "],
            "--expect: expected CHECK=REASON, the reason why the component fails it, got",
        ),
        (
            ["affine", "--expect", "shapes=a", "--expect=shapes=b"],
            "--expect: expected each check once, got shapes twice",
        ),
        (["affine", "--expect"], "argument --expect: expected one argument"),
        ([], "the following arguments are required"),
    ],
)
def test_a_mistake_is_one_sentence(words, sentence, stnkit_main):
    code, out, err = stnkit_main("plugins", "check", *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_a_broken_plugin_tells_its_reason(stnkit_main, make_distribution):
    make_distribution("breaks", {}, {"transform.bad": "no_such_module_at_all"})
    for words in (["bad"], ["transform", "bad"]):
        code, _, err = stnkit_main("plugins", "check", *words)
        assert code == 2
        assert "No module named 'no_such_module_at_all'" in err


@pytest.mark.process
@pytest.mark.parametrize(
    ("end", "code"), [("os._exit(3)", 3), ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV)]
)
def test_a_check_that_ends_the_process_is_the_last_named(end, code, make_distribution, stnkit_process):
    ends = COMPONENT.replace("import torch", "import os, signal, torch").replace(
        "        return points", f"        if not len(theta):\n            {end}\n        return points"
    )
    folder = make_distribution("ending", {"checked_ends": ends}, {"transform.ends": "checked_ends"})
    (folder / "checked_ends.py").write_text(ends.replace('"leaves"', '"ends"'))
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    process = stnkit_process("plugins", "check", "ends", env=os.environ | {"PYTHONPATH": path})
    out, err = process.communicate(timeout=120)
    assert process.returncode == code
    *before, last = out.splitlines()
    assert last.split() == ["empty_batch"]
    assert [line.split()[:2] for line in before][-1] == ["grid_sizes", "passed"]
    assert ("Segmentation fault" in err) == (code < 0)


@pytest.mark.slow
def test_checks_run_where_stderr_is_no_file(monkeypatch, stnkit_main):
    def refuses():
        raise io.UnsupportedOperation("fileno")

    monkeypatch.setattr(faulthandler, "is_enabled", lambda: False)
    monkeypatch.setattr(faulthandler, "enable", refuses)
    code, out, _ = stnkit_main("plugins", "check", "network", "paper_fcn")
    assert code == 0
    assert "construction" in out
