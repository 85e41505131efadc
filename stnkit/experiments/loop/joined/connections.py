"""Connections between the first process of a run and each other one: lines of JSON over TCP.

torch's store lets the processes find each other, but does not tell when one of them is gone; a connection does.
"""

import contextlib
import json
import socket
import threading
from datetime import timedelta
from typing import Any

from stnkit.errors import InputError, first_line
from stnkit.experiments.loop.failures import ProcessError
from stnkit.experiments.loop.joined.launched import Launched

# Seconds for all processes to start.
JOIN_TIMEOUT = 300.0
_KEY = "port and token"
# Seconds of silence, seconds between questions and their number, after which a machine counts as lost.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class Line:
    """One end of a connection. Messages are dictionaries of plain values; nothing of them is executed.

    Args:
        connected: its socket.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._lines = self._socket.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; nothing where the other end is gone, which `receive` tells.

        Args:
            message: of values that JSON has.
        """
        with self._sending, contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """The next message, or None when the other end is closed or its process is gone."""
        try:
            line = self._lines.readline()
            return json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Close it: the other end receives None."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._lines.close()  # waits for a thread that receives, which the line above has ended
        self._socket.close()


def listen(launched: Launched, token: str) -> tuple[socket.socket, Any]:
    """The socket to which the other processes connect, and the store that tells them its port.

    Args:
        launched: of the first process.
        token: by which the first process knows the others.

    Raises:
        InputError: when the port of the store is taken.
    """
    store = _store(launched)
    listening = _listening()
    store.set(_KEY, f"{listening.getsockname()[1]} {token}")
    return listening, store


def connect(launched: Launched) -> tuple[Line, str]:
    """The connection to the first process, and its token.

    Args:
        launched: of another process.

    Raises:
        ProcessError: when the first process does not answer.
    """
    from torch.distributed import DistError

    try:
        port, token = _store(launched).get(_KEY).decode().split()
        connected = socket.create_connection((launched.address, int(port)), timeout=JOIN_TIMEOUT)
    except (DistError, RuntimeError, OSError) as error:
        raise ProcessError(
            f"process {launched.rank} of the {launched.world_size} of {launched.launcher} cannot reach process 0 on "
            f"{launched.address}: {first_line(error)}"
        ) from error
    connected.settimeout(None)
    return Line(connected), token


def free_port() -> int:
    """A port of this machine that is free now."""
    with _listening() as listening:
        port: int = listening.getsockname()[1]
        return port


def _listening() -> socket.socket:
    with contextlib.suppress(OSError):
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


def _store(launched: Launched) -> Any:
    from torch.distributed import (  # type: ignore[attr-defined] # documented, but not in its __all__
        DistNetworkError,
        PrefixStore,
        TCPStore,
    )

    hosts = launched.rank == 0 and not launched.hosted
    timeout = timedelta(seconds=JOIN_TIMEOUT)
    try:
        store = TCPStore(launched.address, launched.port, None, hosts, timeout, wait_for_workers=False)
    except DistNetworkError as error:
        if not hosts:
            raise
        raise InputError(
            f"MASTER_PORT: expected a free port of {launched.address}, got {launched.port}: {first_line(error)}"
        ) from error
    return PrefixStore(f"stnkit/{launched.key}", store)
