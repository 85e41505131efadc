import pytest

from stnkit.plugin_system.kinds import KINDS


def test_it_writes_a_package_and_prints_what_to_do_next(stnkit_main, tmp_path):
    code, out, err = stnkit_main("plugins", "new", "transform", "swirl")
    assert (code, err) == (0, "")
    written = sorted(path.name for path in (tmp_path / "stnkit-swirl").iterdir())
    assert written == ["README.md", "pyproject.toml", "stnkit_swirl.py", "test_swirl.py"]
    commands = [line.strip() for line in out.splitlines() if line.startswith("  ")]
    assert commands[0] == "cd stnkit-swirl"
    # With `new` itself and an installation of stnkit, from nothing to a trained run.
    assert len(commands) + 2 <= 6


def test_it_writes_where_it_is_told_to(stnkit_main, tmp_path):
    code, out, _ = stnkit_main("plugins", "new", "dataset", "bars", "--directory", "with blank/inside")
    assert code == 0
    assert (tmp_path / "with blank" / "inside" / "stnkit-bars" / "stnkit_bars.py").is_file()
    assert "  cd 'with blank/inside/stnkit-bars'\n" in out


def test_nothing_is_overwritten(stnkit_main, tmp_path):
    assert stnkit_main("plugins", "new", "transform", "swirl")[0] == 0
    mine = tmp_path / "stnkit-swirl" / "stnkit_swirl.py"
    mine.write_text("mine")
    code, out, err = stnkit_main("plugins", "new", "sampler", "swirl")
    assert (code, out) == (2, "")
    assert "stnkit-swirl exists already" in err
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("affine", "transform 'affine' is taken by stnkit 0.1.0 (stnkit_plugins.transforms.affine)"),
        ("plugins", "the module stnkit_plugins is taken by another package"),
        ("9a", "name: expected a letter, then letters, digits and underscores"),
        ("a-b", "name: expected a letter"),
        ("a/b", "name: expected a letter"),
        ("größe", "name: expected a letter"),
        ("tail_", "no underscore at its end"),
        ("", "name: expected a letter"),
        ("class", "'class' means something else to Python or in a config"),
        ("null", "'null' means something else"),
    ],
)
def test_an_invalid_name_is_one_sentence_and_writes_nothing(name, sentence, stnkit_main, tmp_path):
    code, out, err = stnkit_main("plugins", "new", "transform", name)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_name_of_one_kind_may_be_taken_in_another(stnkit_main):
    assert stnkit_main("plugins", "new", "sampler", "affine")[0] == 0


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_the_name_of_a_broken_plugin_is_taken(stnkit_main, make_distribution):
    make_distribution("breaks", {}, {"transform.bad": "no_such_module_at_all"})
    code, _, err = stnkit_main("plugins", "new", "transform", "bad")
    assert code == 2
    assert "transform 'bad' is taken by breaks 1.0" in err


def test_an_unknown_kind_lists_the_kinds(stnkit_main, tmp_path):
    code, _, err = stnkit_main("plugins", "new", "warp", "swirl")
    assert code == 2
    assert f"there is no kind 'warp'; the kinds are {', '.join(KINDS)}" in err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(stnkit_main, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = stnkit_main("plugins", "new", "transform", "swirl", "--directory", "file")
    assert code == 2
    assert "Not a directory" in err
    assert len(err.splitlines()) == 1
