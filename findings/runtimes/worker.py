"""Runs networks in one engine and writes a line of JSON for each: `python worker.py ENGINE FOLDER NET...`.

The engine is a module of `engines/` with `load(folder, name)`, which returns a function of an image that returns the
logits and the warped image, or raises. `TELLING`, where it has one, is a pattern that finds the reason of a refusal in
the output of the engine's native code.
"""

import importlib
import json
import os
import re
import sys
import time
from pathlib import Path

import numpy as np


def difference(outputs: list, expected: list) -> float:
    """The largest difference of all outputs; infinity where shapes differ or a value is no number."""
    largest = 0.0
    for got, right in zip(outputs, expected, strict=True):
        got = np.asarray(got)
        if got.shape != right.shape:
            raise ValueError(f"expected an output of shape {right.shape}, got {got.shape}")
        largest = max(largest, float(np.nan_to_num(np.abs(got - right), nan=np.inf).max()))
    return largest


def reason(error: Exception, log: str, telling: str | None) -> str:
    """One line: the telling part of the message or the log, else the message."""
    if telling and (found := re.search(telling, f"{error}\n{log}")):
        return " ".join(found[0].split())[:300]
    text = " ".join(str(error).partition("Stack backtrace")[0].split())
    return f"{type(error).__name__}: {text}"[:300]


def measure(engine: object, folder: Path, name: str) -> dict:
    """The differences by batch, and the reasons of those that do not run."""
    row: dict = {"net": name, "differences": {}, "reasons": {}}
    log = folder / f"{engine.__name__}.log"
    started = time.perf_counter()
    with log.open("w") as stream:
        kept = os.dup(1), os.dup(2)
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        try:
            run = engine.load(folder, name)
            reference = np.load(folder / f"{name}.npz")
            for batch in getattr(engine, "BATCHES", (3, 1, 5)):
                try:
                    expected = [reference[f"{output}_{batch}"] for output in ("logits", "warped")]
                    row["differences"][batch] = difference(run(reference[f"image_{batch}"]), expected)
                except Exception as error:
                    row["reasons"][batch] = reason(error, log.read_text(errors="replace"), engine.TELLING)
        except Exception as error:
            row["reasons"]["all"] = reason(error, log.read_text(errors="replace"), engine.TELLING)
        finally:
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
    row["seconds"] = round(time.perf_counter() - started, 1)
    return row


def main(engine_name: str, folder: Path, names: list[str]) -> None:
    """Write the rows of the networks to the engine's file, each as soon as it is known."""
    engine = importlib.import_module(f"engines.{engine_name}")
    for name in names:
        row = json.dumps(measure(engine, folder, name))
        with (folder / f"{engine_name}.jsonl").open("a") as results:
            results.write(row + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
