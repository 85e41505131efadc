import dataclasses
import errno
import os
import threading
import time
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from stnkit.packing import Decoding, ImageFolder, cache_folder, find_layout, packer
from stnkit.packing.cache_folder import entries, new_folder, packing_lock, remove, remove_remains
from tests.packing.pictures import expected_images, write_splits

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def test_the_folder_is_the_option_the_variable_or_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("STNKIT_CACHE", str(tmp_path / "variable"))
    assert cache_folder("chosen") == Path("chosen")
    assert cache_folder(None) == tmp_path / "variable"
    monkeypatch.delenv("STNKIT_CACHE")
    assert cache_folder(None) == Path(platformdirs.user_cache_dir("stnkit", appauthor=False)) / "packed"


@pytest.mark.slow
def test_one_at_a_time_holds_the_lock(tmp_path):
    inside, most = [], []

    def work():
        with packing_lock(tmp_path, KEY) as locked:
            assert locked
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
    assert not list(tmp_path.iterdir())


def test_packs_of_two_keys_do_not_wait_for_each_other(tmp_path):
    with packing_lock(tmp_path, KEY) as one, packing_lock(tmp_path, OTHER) as other:
        assert one
        assert other


def without_locks(monkeypatch):
    import fcntl

    def no_locks(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)


@pytest.mark.parametrize("locks", [True, False])
def test_several_may_pack_the_same_images_at_once(locks, tmp_path, monkeypatch):
    if not locks:
        without_locks(monkeypatch)
    root, cache = write_splits(tmp_path / "images", 10), tmp_path / "cache"
    calls, decode = [], packer.decode_chunk
    together = threading.Barrier(3, timeout=60)

    def slow(*args):
        calls.append(threading.get_ident())
        if locks:
            time.sleep(0.05)
        else:
            together.wait()
        return decode(*args)

    monkeypatch.setattr(packer, "decode_chunk", slow)
    found = {}

    def work(i):
        folder = ImageFolder(find_layout(root, None), Decoding(), cache, n_processes=1)
        found[i] = folder.split("train")[0].numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [f"train/{label}/{i}.png" for label in ("cat", "dog") for i in range(10)]
    assert all(np.array_equal(found[i], expected_images(names)) for i in range(3))
    assert [path.name for path in cache.iterdir()] == [entries(cache)[0].key]
    assert len(set(calls)) == (1 if locks else 3)


def test_remains_are_told_from_what_is_being_written(tmp_path):
    abandoned, written = new_folder(tmp_path, KEY), new_folder(tmp_path, OTHER)
    (tmp_path / "somebody's").mkdir()
    with packing_lock(tmp_path, OTHER):
        states = {entry.path: entry.busy for entry in entries(tmp_path)}
        assert states == {abandoned: False, written: True}
        remove_remains(tmp_path, KEY, locked=False)
        assert not abandoned.exists()
        assert written.is_dir()
        remove_remains(tmp_path, OTHER, locked=True)
        assert not written.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["somebody's"]


def test_remains_without_locks_are_removed_after_a_day(tmp_path, monkeypatch):
    without_locks(monkeypatch)
    fresh, old = new_folder(tmp_path, KEY), new_folder(tmp_path, OTHER)
    for key in (KEY, OTHER):
        (tmp_path / f"{key}.lock").touch()
    os.utime(old, (0, 0))
    remove_remains(tmp_path, KEY, locked=False)
    assert fresh.is_dir()
    assert not old.exists()


def test_a_pack_is_removed_while_it_is_read(tmp_path):
    cache = tmp_path / "cache"
    folder = ImageFolder(find_layout(write_splits(tmp_path / "images"), None), Decoding(), cache)
    images, _ = folder.split("train")
    before = images.clone()
    (entry,) = entries(cache)
    assert entry.index.n_images == 18
    assert entry.n_bytes >= 18 * 3 * 6 * 8
    remove(entry)
    assert not list(cache.iterdir())
    assert images.equal(before)


def test_the_last_used_pack_is_the_first_of_the_list(tmp_path):
    roots = [write_splits(tmp_path / name) for name in ("a", "b", "c")]
    cache = tmp_path / "cache"
    for root in roots:
        ImageFolder(find_layout(root, None), Decoding(), cache).split("train")
    for entry in entries(cache):
        os.utime(entry.path / "index.json", (1000, 1000))
    ImageFolder(find_layout(roots[1], None), Decoding(), cache).split("train")
    assert next(Path(entry.index.root).name for entry in entries(cache)) == "b"


def test_no_folder_is_an_empty_one(tmp_path):
    assert entries(tmp_path / "nothing") == []
    remove_remains(tmp_path / "nothing", KEY, locked=False)


def test_what_is_being_written_is_not_removed(tmp_path):
    folder = new_folder(tmp_path, KEY)
    (entry,) = entries(tmp_path)  # of a time at which nobody writes it
    with packing_lock(tmp_path, KEY):
        assert not remove(entry)
        assert entries(tmp_path)[0].busy
    assert folder.is_dir()
    assert remove(entry)
    assert not list(tmp_path.iterdir())


def test_a_pack_that_was_damaged_and_is_whole_again_stays(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    ImageFolder(find_layout(write_splits(tmp_path / "images"), None), Decoding(), cache).split("train")
    (entry,) = entries(cache)
    stale = dataclasses.replace(entry, index=None)
    monkeypatch.setitem(remove_remains.__globals__, "entries", lambda cache: [stale])
    remove_remains(cache, OTHER, locked=False)
    assert list(cache.iterdir()) == [entry.path]
