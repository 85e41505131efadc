import re

import pytest

from stnkit.errors import UnknownNameError
from stnkit.experiments.run_directory.recorded_plugins import naming_packages
from stnkit.experiments.trained_run import load_run
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import QUICK, hook_module, metrics

SHIFT = """
import stnkit, torch

class Shift(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("shift", Shift)
"""
SHORT = [*QUICK, "training.epochs=1", "training.schedule=constant", "hydra.run.dir=run"]


@pytest.fixture
def shift(make_distribution):
    """Installs the transform `shift` of theirs 1.0; returns the folder of its metadata."""
    folder = make_distribution("theirs", {"their_shift": SHIFT}, {"transform.shift": "their_shift"})
    return folder / "theirs-1.0.dist-info"


def now_in_version(info, version):
    """The same plugin, upgraded."""
    path = info / "METADATA"
    path.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", path.read_text()))
    info.rename(info.parent / f"theirs-{version}.dist-info")
    plugin_registry.cache_clear()


@pytest.mark.no_jaxtyping
@pytest.mark.training
@pytest.mark.filterwarnings("always:.*trained with")
def test_a_run_records_the_plugins_that_it_used(make_distribution, stnkit_main, shift, monkeypatch):
    callbacks = hook_module("stnkit_callbacks(config)", "[lightning.pytorch.callbacks.Callback()]")
    make_distribution("watching", {"their_callbacks": callbacks}, {"callbacks.watch": "their_callbacks"})
    other = SHIFT.replace('"shift"', '"other"')
    make_distribution("unused", {"their_other": other}, {"transform.other": "their_other"})
    code, _, err = stnkit_main("train", *SHORT, "transform=bounded", "transform.inner=shift")
    assert (code, err) == (0, "")
    record = metrics("run")
    assert record["plugins"] == {"callbacks.watch": "watching", "transform.shift": "theirs"}
    assert record["versions"]["theirs"] == record["versions"]["watching"] == "1.0"
    assert {"stnkit", "torch"} < set(record["versions"])
    assert "unused" not in record["versions"]

    now_in_version(shift, "1.1")
    with pytest.warns(UserWarning, match=r"^run: trained with theirs 1\.0, used with 1\.1$"):
        load_run("run")
    for command in (["evaluate", "run"], ["train", "resume=run", "training.epochs=2"]):
        code, _, err = stnkit_main(*command)
        assert code == 0
        assert re.fullmatch(r"warning: \S*run: trained with theirs 1\.0, used with 1\.1\n", err)
    assert metrics("run")["versions"]["theirs"] == "1.1"

    monkeypatch.setenv("STNKIT_DISABLE_PLUGINS", "theirs")
    plugin_registry.cache_clear()
    for command in (["evaluate", "run"], ["train", "resume=run", "training.epochs=3"]):
        code, _, err = stnkit_main(*command)
        assert code == 2
        assert re.search(r"there is no transform 'shift'; .*; it came from theirs 1\.1$", err.strip())


@pytest.mark.training
def test_a_run_without_plugins_records_none(quick_run):
    assert metrics(quick_run)["plugins"] == {}
    assert set(metrics(quick_run)["versions"]) == {"stnkit", "torch", "lightning", "python"}


@pytest.mark.parametrize("record", [{}, {"plugins": None}, {"plugins": {"transform.other": "theirs"}}, {"plugins": []}])
def test_a_record_without_the_plugin_names_no_package(record):
    with pytest.raises(UnknownNameError, match=r"^there is no transform 'shift'$"), naming_packages(record):
        raise UnknownNameError("there is no transform 'shift'")


@pytest.mark.parametrize("versions", [None, {}, {"theirs": 3}])
def test_a_package_without_a_version_is_named_alone(versions):
    record = {"plugins": {"transform.shift": "theirs"}, "versions": versions}
    with pytest.raises(UnknownNameError, match=r"; it came from theirs$"), naming_packages(record):
        raise UnknownNameError("there is no transform 'shift'")
