from stnkit.experiments.run_directory.own_jobs import begin_notes, end_notes, note_job, noted_jobs


def test_two_sweeps_in_one_directory_note_their_own_jobs(tmp_path):
    first, second = begin_notes(tmp_path), begin_notes(tmp_path)
    note_job(first, tmp_path / "0")
    note_job(first, tmp_path / "elsewhere" / "1")
    note_job(second, tmp_path / "0", refused=True)
    assert noted_jobs(first) == {"0": False, "elsewhere/1": False}
    assert noted_jobs(second) == {"0": True}
    end_notes(first)
    assert [path.name for path in tmp_path.iterdir()] == [second.name]


def test_the_last_note_of_a_job_holds(tmp_path):
    folder = begin_notes(tmp_path)
    for refused in (False, True):
        note_job(folder, tmp_path / "0", refused=refused)
        assert noted_jobs(folder) == {"0": refused}


def test_the_folder_may_be_given_relative_to_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep").mkdir()
    folder = begin_notes((tmp_path / "sweep").relative_to(tmp_path))
    monkeypatch.chdir("sweep")
    note_job(folder, tmp_path / "sweep" / "3")
    assert noted_jobs(folder) == {"3": False}


def test_a_job_that_outlives_its_sweep_notes_nothing(tmp_path):
    folder = begin_notes(tmp_path)
    end_notes(folder)
    note_job(folder, tmp_path / "0")
    assert noted_jobs(folder) == {}
