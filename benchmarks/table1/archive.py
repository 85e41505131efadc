"""The records of a sweep without what belongs to one machine, to be kept: `stnkit report` reads them.

    cd benchmarks; PYTHONPATH=. python -m table1.archive SWEEP results/table1

For each completed run it writes FOLDER/NETWORK/TRANSFORM/DISTORTION-SEED/metrics.json: the record without the paths of
checkpoint and picture, and with the dataset at data/NAME.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from stnkit.errors import InputError, StnkitError
from stnkit.experiments.report.runs import find_runs
from stnkit.experiments.run_directory.record import record_as_json

PATHS = ("checkpoint", "picture")


def portable(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the paths of the machine that it is from.

    Args:
        record: content of metrics.json.
    """
    kept = {name: value for name, value in record.items() if name not in PATHS}
    config = kept["config"] | {"resume": None, "init_from": None}
    dataset = config["dataset"]
    if "root" in dataset:
        config["dataset"] = dataset | {"root": f"data/{dataset['name']}"}
    return kept | {"config": config}


def name_of(record: dict[str, Any]) -> str:
    """NETWORK/TRANSFORM/DISTORTION-SEED.

    Args:
        record: content of metrics.json.
    """
    config = record["config"]
    network = config["network"].get("inner", config["network"]["name"])
    inner = network if isinstance(network, str) else network["name"]
    augmented = "augmented-" if config["network"]["name"] == "augmented" else ""
    transform = config["transform"]["name"] if config["placement"]["at"] else "none"
    return f"{augmented}{inner}/{transform}/{config['distortion']['name']}-{config['seed']}"


def archived(sweep: Path) -> dict[str, dict[str, Any]]:
    """The record of each completed run of a sweep, by its name.

    Args:
        sweep: directory of the sweep.

    Raises:
        InputError: when there is no run, or two have one name, since they differ in another option.
    """
    records: dict[str, dict[str, Any]] = {}
    for run in find_runs([sweep]):
        if run.record.get("status") == "completed":
            name = name_of(run.record)
            if name in records:
                raise InputError(
                    f"{sweep}: expected one run of each network, transform, distortion and seed, got two {name}"
                )
            records[name] = portable(run.record)
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", type=Path, help="directory of the sweep")
    parser.add_argument("folder", type=Path, help="where to write; records of earlier runs of these names are replaced")
    options = parser.parse_args()
    try:
        records = archived(options.sweep)
    except StnkitError as error:
        parser.error(str(error))
    for name, record in records.items():
        path = options.folder / name / "metrics.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record_as_json(record), indent=1) + "\n")
        print(path)


if __name__ == "__main__":
    main()
