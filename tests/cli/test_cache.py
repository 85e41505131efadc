import json
import os

import pytest

from stnkit.packing import Decoding, ImageFolder, find_layout
from stnkit.packing.cache_folder import entries, new_folder, packing_lock
from tests.packing.pictures import write_splits

REMAINS = "0123456789abcdef" * 2


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Three packs: of 6, 12 and 18 images."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("STNKIT_CACHE", str(folder))
    for n in (1, 2, 3):
        layout = find_layout(write_splits(tmp_path / f"images{n}", n), None)
        ImageFolder(layout, Decoding(), folder).split("train")
    return folder


def n_images(cache):
    return sorted(entry.index.n_images for entry in entries(cache) if entry.index)


def test_the_list_has_each_pack_and_where_it_is_from(cache, stnkit_main, tmp_path):
    code, out, err = stnkit_main("cache")
    assert (code, err) == (0, "")
    *rows, total = [line.split("\t") for line in out.splitlines()]
    assert sorted((row[1], row[2], row[5]) for row in rows) == [
        ("12", "3×6×8", str(tmp_path / "images2")),
        ("18", "3×6×8", str(tmp_path / "images3")),
        ("6", "3×6×8", str(tmp_path / "images1")),
    ]
    assert total[0].startswith(f"3 in {cache}, ")
    assert stnkit_main("cache", "list", "--cache", tmp_path / "empty")[1] == f"nothing in {tmp_path / 'empty'}\n"


def test_json_has_every_entry_for_programs(cache, stnkit_main):
    new_folder(cache, REMAINS)
    found = json.loads(stnkit_main("cache", "--json")[1])
    assert found["folder"] == str(cache)
    assert sorted(entry["images"] or 0 for entry in found["entries"]) == [0, 6, 12, 18]
    (remains,) = [entry for entry in found["entries"] if entry["state"] == "unfinished"]
    assert remains["key"] == REMAINS


def test_a_pack_is_cleared_by_the_start_of_its_key(cache, stnkit_main):
    (entry,) = [entry for entry in entries(cache) if entry.index.n_images == 12]
    code, out, _ = stnkit_main("cache", "clear", entry.key[:12])
    assert (code, out.startswith("removed 1 of 3, ")) == (0, True)
    assert n_images(cache) == [6, 18]


def test_old_packs_are_cleared_by_their_last_use(cache, stnkit_main):
    for entry in entries(cache):
        if entry.index.n_images < 18:
            os.utime(entry.path / "index.json", (0, 0))
    assert stnkit_main("cache", "clear", "--older-than", "30")[0] == 0
    assert n_images(cache) == [18]


def test_all_clears_remains_and_leaves_other_files(cache, stnkit_main):
    new_folder(cache, REMAINS)
    (cache / "notes.txt").touch()
    assert stnkit_main("cache", "clear", "--all")[1].startswith("removed 4 of 4")
    assert [path.name for path in cache.iterdir()] == ["notes.txt"]


def test_what_is_being_written_stays(cache, stnkit_main):
    new_folder(cache, REMAINS)
    with packing_lock(cache, REMAINS):
        assert "being written" in stnkit_main("cache")[1]
        code, _, err = stnkit_main("cache", "clear", REMAINS)
        assert (code, err) == (2, f"stnkit cache: {REMAINS} is being written by another process\n")
        code, out, err = stnkit_main("cache", "clear", "--all")
        assert (code, out.startswith("removed 3 of 4")) == (0, True)
        assert err == "stnkit cache: 1 left, being written by another process\n"
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clear"], "expected the keys to clear, --older-than DAYS or --all"),
        (["clear", "zzz"], "no pack in {cache} has a key that begins with 'zzz'"),
        (["clear", ""], "expected the key of one pack in {cache}, got '', that of 3"),
        (["clear", "--older-than", "soon"], "expected a number of days of at least 0, got 'soon'"),
        (["list", "--all"], "keys, --all and --older-than are for `stnkit cache clear`"),
        (["remove"], "invalid choice: 'remove'"),
    ],
)
def test_a_mistake_is_one_sentence_and_clears_nothing(arguments, message, cache, stnkit_main):
    code, out, err = stnkit_main("cache", *arguments)
    assert (code, out) == (2, "")
    assert message.format(cache=cache) in err
    assert err.count("\n") == 1
    assert n_images(cache) == [6, 12, 18]
