#!/usr/bin/env bash
# hydra-optuna-sweeper: the same range has another end for each sweeper, and for each sampler.
#
# Expected: `n=range(1,4)` is 1, 2, 3 whichever sweeper reads it, as in Python, and a grid over the interval from 1 to 4
#   meets both of its ends.
# Happens: with Optuna the end of a range is taken in: n=4 is run, a layer, a class or a step too many. The grid sampler
#   leaves the end out again, also that of an interval, whose end each other sampler takes. No warning.
# Seen with Python 3.11.7, hydra-core 1.3.8, hydra-optuna-sweeper 1.3.0, optuna 2.10.1:
#   basic, n=range(1,4): 1 2 3
#   random, n=range(1,4): 1 2 3 4
#   grid, n=range(1,4): 1 2 3
#   grid, n=int(interval(1,4)): 1 2 3
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet hydra-core==1.3.8 hydra-optuna-sweeper==1.3.0 optuna==2.10.1
} || exit 2
cat > app.py <<'PY'
import sys

import hydra


@hydra.main(config_path=None, config_name="config", version_base=None)
def main(config):
    with open(config.seen, "a") as file:
        print(config.n, file=file)
    return float(config.n)


if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store("config", {"n": 0, "seen": "?"})
    main()
PY
venv/bin/python - <<'PY'
import subprocess
import sys
from pathlib import Path

OPTUNA = ["hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=16"]
RANDOM = [*OPTUNA, "hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=0"]
GRID = [*OPTUNA, "hydra/sweeper/sampler=grid"]
NAMED = ["n=range(1,4)"]
runs = {
    "basic, n=range(1,4)": NAMED,
    "random, n=range(1,4)": RANDOM + NAMED,
    "grid, n=range(1,4)": GRID + NAMED,
    "grid, n=int(interval(1,4))": [*GRID, "n=int(interval(1,4))"],
}
seen = {}
for number, (title, options) in enumerate(runs.items()):
    path = Path(f"seen{number}").resolve()
    ran = subprocess.run([sys.executable, "app.py", "-m", f"seen={path}", *options], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{title}: {ran.stderr[-2000:]}")
    seen[title] = sorted({int(line) for line in path.read_text().split()})
    print(f"{title}: {' '.join(map(str, seen[title]))}")
sys.exit([*seen.values()] != [[1, 2, 3], [1, 2, 3, 4], [1, 2, 3], [1, 2, 3]])
PY
