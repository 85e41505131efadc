"""A sweep on a local Ray."""

import secrets

import pytest

from tests.helpers import QUICK, metrics

pytest.importorskip("ray")
RAY = (
    "hydra/launcher=ray",
    "+hydra.launcher.ray.init.num_cpus=2",
    "+hydra.launcher.ray.init.include_dashboard=false",
)


@pytest.mark.slow
def test_a_ray_sweep_leaves_and_continues_the_same_runs(stnkit_process, stnkit_main, tmp_path, monkeypatch):
    # It stays on this machine and leaves the user's own token alone.
    (tmp_path / "token").write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    sweep = ["train", "-m", *QUICK, "training.epochs=1", "hydra.sweep.dir=sweep"]
    assert stnkit_main(*sweep, "seed=1", "localizer.hidden=[8]")[0] == 0
    finished = (tmp_path / "sweep" / "0" / "metrics.json").stat().st_mtime_ns

    process = stnkit_process(*sweep, "seed=0,1", "localizer.hidden=[0],[8]", "skip_completed=true", *RAY)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    assert "sweep       4 jobs in sweep" in out
    assert "2 of the jobs failed" in err
    assert (tmp_path / "sweep" / "0" / "metrics.json").stat().st_mtime_ns == finished
    told = [metrics(path.parent) for path in (tmp_path / "sweep").glob("*/metrics.json")]
    assert sorted((m["seed"], m["config"]["localizer"]["hidden"], m["status"]) for m in told) == [
        (0, [0], "failed"),
        (0, [8], "completed"),
        (1, [0], "failed"),
        (1, [8], "completed"),
    ]
    assert all("hidden: expected one or more widths" in m["error"] for m in told if m["status"] == "failed")
