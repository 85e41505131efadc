"""A YAML file that hides a component is refused, wherever it lies."""

import json
import os
import shutil
import tomllib

import pytest

from tests.helpers import CLI, ROOT


@pytest.mark.slow
def test_a_user_file_that_hides_a_component_is_refused(stnkit_main, tmp_path):
    (tmp_path / "mine" / "transform").mkdir(parents=True)
    (tmp_path / "mine" / "transform" / "fine.yaml").write_text("defaults: [tps]\ncontrol_points: [5, 5]\n")
    for text, place in (
        ("control_points: [5, 5]", f"file://{tmp_path}/mine/transform/tps.yaml"),
        ("name: affine", "transform/tps.yaml of the config search path"),  # Hydra itself stumbles over this one
    ):
        (tmp_path / "mine" / "transform" / "tps.yaml").write_text(text)
        code, _, err = stnkit_main("train", "--config-dir", "mine", "transform=tps", "training.progress=false")
        assert code == 2
        (line,) = err.splitlines()
        assert f"transform 'tps' is both a component and a file, {place}" in line
    # A file under a name of its own sets options of a component.
    (tmp_path / "mine" / "transform" / "tps.yaml").unlink()
    code, out, err = stnkit_main("train", "--config-dir", "mine", "transform=fine", "--cfg", "job")
    assert code == 0, err
    assert "name: tps" in out
    assert "- 5" in out


def test_a_conf_file_that_hides_a_component_is_reported(stnkit_process, tmp_path):
    # stnkit itself as an installed distribution, beside the one in use, with one file more in its conf.
    site = tmp_path / "site"
    for source, target in (("stnkit", "stnkit"), ("plugins", "stnkit_plugins"), ("conf", "stnkit/conf")):
        shutil.copytree(ROOT / source, site / target, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "stnkit" / "conf" / "transform").mkdir()
    (site / "stnkit" / "conf" / "transform" / "affine.yaml").write_text("name: affine\nndim: 3\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = site / "stnkit-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stnkit\nVersion: 9.9\n")
    entry_points = [f"{key} = {module}" for key, module in project["entry-points"]["stnkit"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[stnkit]", *entry_points]))

    environment = os.environ | {"PYTHONPATH": str(site)}
    code = (
        "import sys\n"
        "for name in [*sys.modules]:\n"
        "    if name.partition('.')[0] in ('stnkit', 'stnkit_plugins'):\n"
        "        del sys.modules[name]\n"
        f"{CLI}"
    )
    processes = [
        stnkit_process(*arguments, code=code, env=environment)
        for arguments in (["plugins", "--json"], ["train", "transform.ndim=2"])
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    reason = "transform 'affine' is both a component and a file, pkg://stnkit.conf/transform/affine.yaml of stnkit"
    assert [process.returncode for process in processes] == [0, 2], outputs
    errors = [err.splitlines() for _, err in outputs]
    for lines in errors:
        assert lines[0].startswith(f"warning: {reason}")
    assert [len(lines) for lines in errors] == [1, 2]
    assert errors[1][1].startswith(f"stnkit train: {reason}")
    told = json.loads(outputs[0][0])
    assert [(row["entry_point"], row["version"]) for row in told["broken"]] == [("transform.affine", "9.9")]
    assert told["broken"][0]["reason"].startswith(reason)
