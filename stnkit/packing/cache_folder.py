"""Cache folder: the packs that are there, those that are being written, and the remains of killed packings."""

import contextlib
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stnkit.files.locks import LOCKS_EXIST, try_lock
from stnkit.packing.index import Index, last_use, read_index

LOG = logging.getLogger("stnkit.packing")
VARIABLE = "STNKIT_CACHE"
_PACK = re.compile(r"[0-9a-f]{32}")
_UNFINISHED = re.compile(r"([0-9a-f]{32})\.unfinished-\w+")
_LOCK = ".lock"
# Seconds between two looks at a lock that another process holds, and age from which remains without locks are old.
_PAUSE, _OLD = 0.1, 86_400.0


def cache_folder(chosen: str | None) -> Path:
    """The folder of the packs: the chosen one, or `$STNKIT_CACHE`, or the platform's folder for caches.

    Args:
        chosen: by an option, or None.
    """
    if chosen:
        return Path(chosen)
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    import platformdirs

    return platformdirs.user_cache_path("stnkit", appauthor=False) / "packed"


@dataclass(frozen=True)
class Entry:
    """A folder in the cache.

    Args:
        key: of the pack.
        path: of the folder.
        index: of the pack; None for one that is unfinished or damaged.
        busy: True while a process writes it.
    """

    key: str
    path: Path
    index: Index | None
    busy: bool

    @property
    def n_bytes(self) -> int:
        """Bytes on the disk."""
        total = 0
        for file in self.path.glob("*"):
            with contextlib.suppress(OSError):
                state = file.stat()
                total += getattr(state, "st_blocks", -(-state.st_size // 512)) * 512
        return total

    @property
    def used(self) -> float:
        """Time of the last use, seconds since 1970."""
        try:
            return last_use(self.path) if self.index else self.path.stat().st_mtime
        except OSError:  # removed in the meantime
            return time.time()


def entries(cache: Path) -> list[Entry]:
    """The packs in a cache folder and what is unfinished, the last used first.

    Args:
        cache: perhaps not there.
    """
    found = []
    with contextlib.suppress(FileNotFoundError):
        for path in cache.iterdir():
            if _PACK.fullmatch(path.name) and path.is_dir():
                found.append(Entry(path.name, path, read_index(path), busy=False))
            elif match := _UNFINISHED.fullmatch(path.name):
                found.append(Entry(match[1], path, None, busy=_is_busy(cache, match[1], path)))
    return sorted(found, key=lambda entry: (-entry.used, entry.path.name))


def new_folder(cache: Path, key: str) -> Path:
    """A folder in which a pack is written until it is whole.

    Args:
        cache: the folder of the packs.
        key: of the pack.

    Raises:
        OSError: when it cannot be written.
    """
    folder = cache / f"{key}.unfinished-{secrets.token_hex(8)}"
    folder.mkdir()  # not private, as a temporary folder would be: a cache may be shared
    return folder


def remove(entry: Entry) -> bool:
    """Remove a pack or remains. A process that reads the pack goes on to do so.

    It gives False, and removes nothing, while another process holds the lock of that pack.

    Args:
        entry: of `entries`.

    Raises:
        OSError: when it cannot be removed.
    """
    with _lock_at_once(entry.path.parent, entry.key) as state:
        if state is not False:
            _remove_folder(entry.path)
    return state is not False


def remove_remains(cache: Path, key: str, *, locked: bool) -> None:
    """Remove what killed packings have left, and a damaged pack of that key, as far as they can be removed.

    Args:
        cache: the folder of the packs.
        key: of the pack that this process is about to write.
        locked: True if this process holds its lock.
    """
    for entry in entries(cache):
        if entry.index is not None:
            continue
        with contextlib.suppress(OSError):
            if locked and entry.key == key:
                _remove_folder(entry.path)
            elif not entry.busy:
                with _lock_at_once(cache, entry.key) as state:
                    # In the meantime another process has perhaps packed anew what was damaged.
                    if state is not False and read_index(entry.path) is None:
                        _remove_folder(entry.path)


@contextlib.contextmanager
def packing_lock(cache: Path, key: str) -> Iterator[bool]:
    """Hold the lock of a pack, after the process that holds it; the system releases that of a killed process.

    The folder is created if it is missing.

    It gives False where the file system has no locks. Two processes may pack there at the same time: each writes a
    folder of its own, and the first one to finish wins.

    Args:
        cache: the folder of the packs.
        key: of the pack.

    Raises:
        OSError: when the folder cannot be written.
    """
    told = False
    while True:
        cache.mkdir(parents=True, exist_ok=True)  # a process that has failed removes it where it is empty
        with _lock_at_once(cache, key) as state:
            if state is not False:
                yield bool(state)
                return
        if not told:
            LOG.info("another process is packing these images: waiting for it")
            told = True
        time.sleep(_PAUSE)


@contextlib.contextmanager
def _lock_at_once(cache: Path, key: str) -> Iterator[bool | None]:
    """Hold the lock of a pack, and remove its file at the end; False while another process holds it, None without."""
    path = cache / f"{key}{_LOCK}"
    with path.open("w") as file:
        state = try_lock(file.fileno())
        # The process before has perhaps removed the file, and another one has made it anew.
        if state and not _is_same(file.fileno(), path):
            state = False
        try:
            yield state
        finally:
            if state is not False:
                with contextlib.suppress(OSError):
                    path.unlink()


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _is_busy(cache: Path, key: str, path: Path) -> bool:
    """True if a process holds the lock of a pack; without locks, if its folder has changed in the last day."""
    try:
        with (cache / f"{key}{_LOCK}").open() as file:
            state = try_lock(file.fileno())
    except FileNotFoundError:
        state = True if LOCKS_EXIST else None
    except OSError:
        return True
    if state is not None:
        return not state
    try:
        return time.time() - path.stat().st_mtime < _OLD
    except OSError:
        return True


def _remove_folder(path: Path) -> None:
    if _PACK.fullmatch(path.name):  # not to be found any more while its files go
        path = path.rename(path.with_name(f"{path.name}.unfinished-removed{os.getpid()}"))
    shutil.rmtree(path)
