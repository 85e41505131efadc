"""Processes that need not import torch, Lightning and Hydra again.

A test that needs a process of its own (a signal, a kill, an exit code, two at a time) needs no fresh interpreter. The
server imports what `stnkit train` imports, once, runs nothing of it, and forks itself for each request. It has one
thread, and its children end as any interpreter does.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from importlib.metadata import entry_points

from tests.helpers import CLI, ROOT

PRELOADED = [
    "lightning",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "stnkit.cli.main",
    "stnkit.cli.train",
    "stnkit.experiments.pictures",
    "stnkit.experiments.loop.run",
]
# Whatever the server reads from its environment, a child reads from the environment of its request.
SERVER = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.process_server import requested; exec(requested())"


class ProcessServer:
    """The test's end of the server.

    Args:
        folder: for what the processes print.
    """

    def __init__(self, folder):
        self._folder = folder
        self._control, other_end = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(other_end.fileno())],
            pass_fds=[other_end.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for pytest
        )
        other_end.close()

    def start(self, *arguments, code=CLI, cwd, env=None, outputs=None):
        """Run code as `python -c` would; `outputs` are the files for standard output and standard error."""
        name = os.urandom(4).hex()
        outputs = outputs or [self._folder / f"{name}-{stream}.txt" for stream in ("stdout", "stderr")]
        status, child_status = os.pipe()
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(path.open("w")).fileno() for path in outputs]
            stack.callback(os.close, child_status)
            argv = ["-c", *map(str, arguments)]
            request = {"code": code, "argv": argv, "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
            body = json.dumps(request).encode()
            socket.send_fds(self._control, [len(body).to_bytes(8, "big")], [*files, child_status])
            self._control.sendall(body)
        return ServedProcess(status, outputs)

    def close(self):
        self._control.close()
        self._process.wait()


class ServedProcess:
    """The part of `subprocess.Popen` that the tests use."""

    def __init__(self, status, outputs):
        self._status, self._outputs, self._told = status, outputs, b""
        self.returncode = None
        self._read(until=1, timeout=60.0)
        self.pid = int(self._told.split()[0])

    def __del__(self):
        os.close(self._status)

    def poll(self):
        self._read(until=2, timeout=0.0)
        return self.returncode

    def wait(self, timeout=None):
        if not self._read(until=2, timeout=timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return self.returncode

    def communicate(self, timeout=None):
        """Standard output and standard error."""
        self.wait(timeout)
        return tuple(path.read_text() for path in self._outputs)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def _read(self, until, timeout):
        """True if that many lines have been told in time: the process id, and the exit code when it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._told.count(b"\n") < until:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._status], [], [], left)[0]:
                return False
            told = os.read(self._status, 100)
            assert told, "the server of processes has ended"
            self._told += told
        if self._told.count(b"\n") == 2:
            self.returncode = int(self._told.split()[1])
        return True


def requested():
    """The code of a request, in a process of its own: the server itself never returns."""
    control = socket.socket(fileno=int(sys.argv[1]))
    plugins = [entry.value for entry in entry_points(group="stnkit") if entry.value.startswith("stnkit_plugins.")]
    for module in (*PRELOADED, *plugins):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is collected is not copied
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    children = set()
    while True:
        size, files, *_ = socket.recv_fds(control, 8, 3)
        # Reaped at the next request, and all of them in the end.
        children -= {child for child in children if os.waitpid(child, os.WNOHANG if size else 0)[0]}
        if not size:
            raise SystemExit
        body = b""
        while len(body) < int.from_bytes(size, "big"):
            body += control.recv(2**20)
        if child := os.fork():
            children.add(child)
        else:
            control.close()
            return _in_child(json.loads(body), files, known)
        for file in files:
            os.close(file)


def _in_child(request, files, known):
    *outputs, status = files
    if child := os.fork():
        # Waits for the other one, which may be stopped or killed.
        os.write(status, f"{child}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(status, f"{code}\n".encode())
        os._exit(0)
    os.close(status)
    for file, number in zip(outputs, (1, 2), strict=True):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    paths = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[0:1] = ["", *(path for path in paths if path and path not in known)]
    return compile(request["code"], "<string>", "exec")
