"""Locks of open files, which the system releases when the process ends, also when it is killed."""

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCKS_EXIST = fcntl is not None


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock a file if no other process holds it: True, or False if one does; None where there are no locks.

    Some network file systems have none, and neither has Windows.

    Args:
        descriptor: of the open file; the lock ends when it is closed.
        shared: True for a lock that others may share.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
