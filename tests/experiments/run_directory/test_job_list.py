import json

import pytest

from stnkit.experiments.run_directory.job_list import Job, jobs_not_begun, list_jobs, record_run_dir

JOBS = [["transform=tps", "seed=0"], ["transform=tps", "seed=1"], ["transform=tps", "seed=2"]]


def jobs(folder, *seeds):
    return [Job(folder, (f"seed={seed}",)) for seed in seeds]


def begin(folder, number, job, identity=None):
    record_run_dir(folder, job, folder / str(number), identity)
    (folder / str(number)).mkdir(parents=True, exist_ok=True)
    (folder / str(number) / "metrics.json").write_text("{}")


def test_listed_jobs_without_a_record_have_not_begun(tmp_path):
    list_jobs(tmp_path, JOBS)
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 0, 1, 2)
    begin(tmp_path, 0, JOBS[0])
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 1, 2)
    # Its process started, and was killed before it wrote a record.
    record_run_dir(tmp_path, JOBS[1], tmp_path / "1")
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 1, 2)


def test_a_continued_sweep_lists_each_job_once(tmp_path):
    list_jobs(tmp_path, JOBS)
    begin(tmp_path, 0, JOBS[0])
    again = [["seed=3", "skip_completed=true", "transform=tps"]]
    control = ["skip_completed=true", "dataset.root=/shared/mnist", "training.progress=false"]
    again += [[*control, *reversed(job)] for job in reversed(JOBS)]
    list_jobs(tmp_path, again)
    assert sorted(job.overrides for job in jobs_not_begun(tmp_path)) == [("seed=1",), ("seed=2",), ("seed=3",)]
    begin(tmp_path, 5, again[1])  # seed 2
    assert sorted(job.overrides for job in jobs_not_begun(tmp_path)) == [("seed=1",), ("seed=3",)]


def test_a_job_may_run_in_a_folder_below(tmp_path):
    list_jobs(tmp_path / "sweep", JOBS)
    begin(tmp_path / "sweep", "by/transform/0", JOBS[0])
    begin(tmp_path / "sweep", "../elsewhere", JOBS[1])
    assert jobs_not_begun(tmp_path / "sweep") == jobs(tmp_path / "sweep", 2)


def test_a_folder_without_a_list_has_no_jobs(tmp_path):
    assert jobs_not_begun(tmp_path) == []
    record_run_dir(tmp_path, JOBS[0], tmp_path / "0")
    assert jobs_not_begun(tmp_path) == []
    (tmp_path / ".jobs").mkdir()
    (tmp_path / ".jobs" / "damaged.json").write_text("{")
    assert jobs_not_begun(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"number": 0, "overrides": ["seed=0"], "run_dir": 5}',
        '{"number": 0, "overrides": ["seed=0"], "run_dir": {"path": "0"}}',
        '{"number": Infinity, "overrides": ["seed=0"]}',
        '{"number": 0, "overrides": "seed=0"}',
        '{"number": 0, "overrides": [0]}',
        "[" * 100_000,
        "3",
    ],
)
def test_a_damaged_entry_is_passed_over_and_written_anew(text, tmp_path):
    list_jobs(tmp_path, JOBS[:1])
    (entry,) = (tmp_path / ".jobs").iterdir()
    entry.write_text(text)
    assert jobs_not_begun(tmp_path) == []
    record_run_dir(tmp_path, JOBS[0], tmp_path / "0")
    assert entry.read_text() == text
    list_jobs(tmp_path, JOBS[:1])
    assert jobs_not_begun(tmp_path) == [Job(tmp_path, tuple(JOBS[0]))]


def test_a_run_directory_that_cannot_be_has_no_record(tmp_path):
    list_jobs(tmp_path, JOBS[:1])
    (entry,) = (tmp_path / ".jobs").iterdir()
    for run_dir in ("x" * 5000, "a\0b"):
        entry.write_text(json.dumps({"number": 0, "overrides": ["seed=0"], "run_dir": run_dir}))
        assert jobs_not_begun(tmp_path) == [Job(tmp_path, ("seed=0",))]


def test_an_equal_job_by_other_overrides_is_listed_once(tmp_path):
    list_jobs(tmp_path, JOBS, ["a", "b", "c"])
    begin(tmp_path, 0, JOBS[0], "a")
    longer = [[*job, "training.learning_rate=0.003"] for job in JOBS]
    files = list_jobs(tmp_path, longer, ["a", "b", "c"])
    assert len(list((tmp_path / ".jobs").iterdir())) == len(files) == 3
    begin(tmp_path, 2, longer[2], "c")
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 1)


def test_the_jobs_of_one_sweep_can_be_asked_for(tmp_path):
    list_jobs(tmp_path, JOBS[:2], ["a", "b"])
    own = list_jobs(tmp_path, JOBS[1:], ["b", "c"])
    assert jobs_not_begun(tmp_path, own) == jobs(tmp_path, 1, 2)
    begin(tmp_path, 2, JOBS[2], "c")
    assert [job.overrides for job in jobs_not_begun(tmp_path, own)] == [("seed=1",)]
    assert jobs_not_begun(tmp_path, ()) == []


def test_a_list_without_identities_gets_them(tmp_path):
    list_jobs(tmp_path, JOBS)
    begin(tmp_path, 0, JOBS[0])
    list_jobs(tmp_path, JOBS, ["a", "b", "c"])
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 1, 2)
    begin(tmp_path, 1, [*JOBS[1], "training.learning_rate=0.003"], "b")
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 2)
    assert len(list((tmp_path / ".jobs").iterdir())) == 3


def test_overrides_of_another_meaning_are_a_job_that_waits(tmp_path):
    list_jobs(tmp_path, JOBS[:1], ["a"])
    begin(tmp_path, 0, JOBS[0], "a")
    list_jobs(tmp_path, JOBS[:1], ["of an edited file"])
    assert jobs_not_begun(tmp_path) == [Job(tmp_path, tuple(JOBS[0]))]
    list_jobs(tmp_path, [["seed=0"]], ["a"])
    assert len(list((tmp_path / ".jobs").iterdir())) == 2


def test_a_job_that_resolves_only_when_it_runs_is_found(tmp_path):
    list_jobs(tmp_path, JOBS)
    begin(tmp_path, 1, JOBS[1], "b")
    assert jobs_not_begun(tmp_path) == jobs(tmp_path, 0, 2)
