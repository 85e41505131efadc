"""Two sweeps in one directory never give it to two jobs."""

import copy
import multiprocessing
import os

import pytest
import yaml

from stnkit.experiments.run_directory.job_identity import (
    earlier_directory,
    identity_in,
    identity_of,
    job_directory,
    with_added_options,
    with_defaults_of_components,
)


def test_a_number_that_another_job_has_claimed_is_not_given_away(tmp_path):
    first, second = identity_of({"seed": 0}), identity_of({"seed": 1})
    assert job_directory(first, 0, tmp_path) == "0"
    assert job_directory(second, 0, tmp_path) == f"0-{second[:8]}"
    # Each finds its own again, whatever its number is now.
    assert job_directory(second, 1, tmp_path) == f"0-{second[:8]}"
    assert job_directory(first, 5, tmp_path) == "0"


def test_a_file_system_without_hard_links_has_claims_too(tmp_path, monkeypatch):
    def refuse(*names):
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first, second = identity_of({"seed": 0}), identity_of({"seed": 1})
    assert [job_directory(job, 0, tmp_path) for job in (first, second, first)] == ["0", f"0-{second[:8]}", "0"]


def _choose(sweep_dir, seed, barrier, answers):
    barrier.wait()
    answers.put((seed, job_directory(identity_of({"seed": seed}), 0, sweep_dir)))


def test_later_options_at_their_defaults_change_no_identity():
    of_a_run = {"seed": 0, "training": {"epochs": 2}}
    today = {"seed": 0, "training": {"epochs": 2, "keep": "last", "patience": None}}
    assert identity_of(today) == identity_of(of_a_run)
    for option in ({"keep": "best"}, {"patience": 3}):
        assert identity_of(today | {"training": today["training"] | option}) != identity_of(of_a_run)


def test_an_option_of_a_section_in_a_section_is_known():
    of_a_run = {"training": {"equivariance": {"weight": 1.0}}}
    today = {"training": {"equivariance": {"weight": 1.0, "augment": True, "common_pose": 0.0}}}
    assert identity_of(today) == identity_of(of_a_run)
    assert with_added_options(of_a_run)["training"]["equivariance"] == today["training"]["equivariance"]
    assert of_a_run == {"training": {"equivariance": {"weight": 1.0}}}
    today["training"]["equivariance"]["common_pose"] = None
    assert identity_of(today) != identity_of(of_a_run)


@pytest.mark.parametrize(
    ("group", "component", "added", "other"),
    [
        ("transform", {"name": "rotation", "aspect": 1.0}, {"ndim": 2}, {"ndim": 3}),
        ("transform", {"name": "tps"}, {"pinned": None, "kernel": None, "epsilon": None}, {"pinned": [0, 3]}),
        ("sampler", {"name": "antialiased"}, {"renormalize": False}, {"renormalize": True}),
    ],
)
def test_a_later_option_of_a_component_at_its_default_is_none(group, component, added, other):
    earlier = {"seed": 0, group: component}
    assert identity_of({"seed": 0, group: component | added}) == identity_of(earlier)
    assert identity_of({"seed": 0, group: component | added | other}) != identity_of(earlier)


def test_an_earlier_default_in_pixels_is_the_same_job():
    earlier = {"seed": 0, "distortion": {"name": "rts", "canvas": [42, 42]}}
    today = {"seed": 0, "distortion": {"name": "rts", "canvas": None, "padding": "zeros"}}
    assert identity_of(today) == identity_of(earlier)
    for option in ({"padding": "border"}, {"canvas": [42, 42]}, {"canvas": [50, 42]}):
        assert identity_of(today | {"distortion": today["distortion"] | option}) != identity_of(earlier)


@pytest.mark.process
def test_sweeps_that_start_together_take_different_directories(tmp_path):
    """hydra 2925: the number alone is no name."""
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        barrier, answers = context.Barrier(4), context.Queue()
        seeds = [0, 1, 2, 2]
        processes = [
            context.Process(target=_choose, args=(tmp_path / str(attempt), seed, barrier, answers)) for seed in seeds
        ]
        for process in processes:
            process.start()
        chosen = [answers.get(timeout=30) for _ in processes]
        for process in processes:
            process.join()
        names = dict(chosen)
        assert set(chosen) == set(names.items())  # both of seed 2 chose one directory
        assert len(set(names.values())) == 3


def saved(folder, config):
    """The identity of a run with this config."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return identity_in(folder)


# A network whose plugin has gained three options.
GAINED = """
import stnkit
class Gained(stnkit.Network):
    def __init__(
        self, in_shape: tuple[int, ...], n_classes: int, *, width: int = 8,
        rate: float = 0, sizes: tuple[int, ...] = (1, 2), must: int,
    ):
        super().__init__()
    def forward(self, image):
        return image
@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("gained", Gained)
"""


def test_an_option_that_a_plugin_has_gained_is_no_other_job(make_distribution, tmp_path):
    make_distribution("gained", {"theirs": GAINED}, {"network.gained": "theirs"})
    earlier = {"seed": 0, "network": {"name": "gained", "width": 4}}
    today = {"seed": 0, "network": {"name": "gained", "width": 4, "rate": 0.0, "sizes": [1, 2]}}
    assert saved(tmp_path / "0", earlier) == identity_of(today)
    assert earlier_directory(identity_of(today), tmp_path) == "0"
    for option in ({"width": 8}, {"rate": 1.0}, {"sizes": [1]}, {"must": 1}):
        assert saved(tmp_path / "0", earlier) != identity_of(today | {"network": today["network"] | option})
    assert saved(tmp_path / "1", today) == identity_of(today)


def test_the_meaning_of_an_earlier_version_is_not_filled(tmp_path):
    earlier = {"seed": 0, "distortion": {"name": "rts", "canvas": [42, 42]}, "sampler": {"name": "antialiased"}}
    filled = with_defaults_of_components(earlier)
    assert "padding" not in filled["distortion"]
    assert "renormalize" not in filled["sampler"]
    assert filled["distortion"]["canvas"] == [42, 42]
    assert earlier["sampler"] == {"name": "antialiased"}
    today = copy.deepcopy(filled)
    today["distortion"] |= {"canvas": None, "padding": "zeros"}
    assert saved(tmp_path, earlier) == identity_of(today)
