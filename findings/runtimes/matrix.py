"""Networks in runtimes: `python matrix.py FOLDER [ENGINE...] [NET...]` writes a file of rows for each runtime.

Each runtime has a process of its own, which is started again behind a network that ended it.
"""

import json
import subprocess
import sys
from pathlib import Path

from nets import CASES

# The first two make what the others read.
ENGINES = (
    "eager",
    "onnx_file",
    "onnxruntime",
    "web",
    "openvino",
    "openvino_default",
    "tract",
    "mnn",
    "ncnn",
    "executorch",
    "aoti",
)
READ_ONNX = ("onnxruntime", "web", "openvino", "openvino_default", "tract", "mnn")
# Seconds for one network.
LIMIT = 400


def rows(folder: Path, engine: str) -> dict[str, dict]:
    """The rows of a runtime by the network's name."""
    path = folder / f"{engine}.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return {row["net"]: row for row in map(json.loads, lines)}


def add(folder: Path, engine: str, name: str, reason: str) -> None:
    """Append the row of a network that did not get as far."""
    with (folder / f"{engine}.jsonl").open("a") as results:
        results.write(json.dumps({"net": name, "differences": {}, "reasons": {"all": reason}}) + "\n")


def run(folder: Path, engine: str, names: list[str]) -> None:
    """Run the networks that have no row yet."""
    while left := [name for name in names if name not in rows(folder, engine)]:
        process = subprocess.Popen([sys.executable, "worker.py", engine, str(folder), *left])
        reason = None
        while process.poll() is None:
            before = len(rows(folder, engine))
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                if len(rows(folder, engine)) == before:
                    process.kill()
                    reason = f"no answer within {LIMIT} s"
        if left := [name for name in left if name not in rows(folder, engine)]:
            add(folder, engine, left[0], reason or "the process ended")


def remove(folder: Path, engine: str, names: list[str]) -> None:
    """Remove the rows of networks, and leave those of all others."""
    left = [row for name, row in rows(folder, engine).items() if name not in names]
    (folder / f"{engine}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in left))


def main(folder: Path, engines: list[str], asked: list[str]) -> None:
    """Run the runtimes anew with the networks that are asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    for engine in engines:
        names = [*asked]
        remove(folder, engine, names)
        if engine in READ_ONNX:
            for name, row in rows(folder, "onnx_file").items():
                if row["reasons"] and name in names:
                    add(folder, engine, name, f"torch.onnx.export: {row['reasons']['all']}")
        if engine == "aoti":  # half a minute each, and nothing that the samplers change
            names = [name for name in names if name.endswith(".bilinear")]
        run(folder, engine, names)
        print(f"{engine}: {len(rows(folder, engine))} networks", file=sys.stderr, flush=True)


if __name__ == "__main__":
    named = [f"{word}.bilinear" if f"{word}.bilinear" in CASES else word for word in sys.argv[2:]]
    if unknown := [word for word in named if word not in (*ENGINES, *CASES)]:
        sys.exit(f"expected names of engines or networks, got {unknown}")
    engines = [word for word in named if word in ENGINES] or [*ENGINES]
    main(Path(sys.argv[1]).resolve(), engines, [word for word in named if word in CASES] or [*CASES])
