"""The program of a process that decodes images; it imports neither torch nor more of stnkit than it needs.

Standard input has a line with the target and a line for each chunk, all JSON, and standard output gets a line for each
outcome. The process ends at the end of its input, so that it does not outlive a parent that was killed.
"""

import dataclasses
import json
import os
import signal
import sys

from stnkit.packing.chunk import Target, decode_chunk


def main() -> None:
    """Decode chunks until the input ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # for the parent, which ends this process
        signal.signal(number, signal.SIG_IGN)
    # What a decoder prints must not be read as an outcome.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    target = Target.of_json(json.loads(sys.stdin.readline()))
    descriptor = os.open(target.file, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    try:
        for line in sys.stdin:
            first, names = json.loads(line)
            outcome = decode_chunk(target, descriptor, first, names)
            print(json.dumps(dataclasses.asdict(outcome)), file=answers, flush=True)
    except BrokenPipeError:  # the parent was killed
        os._exit(0)
    finally:
        os.close(descriptor)
