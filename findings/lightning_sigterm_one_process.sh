#!/usr/bin/env bash
# Lightning: SIGTERM to one of the processes of a DDP run makes all of them wait for each other, forever.
#
# Expected: the process that is asked to stop, because its machine is preempted or `torchrun` on it was stopped, ends after
#   the step and the others fail or end with it. Lightning 2.6 says that it tells the other ranks.
# Happens: its handler of SIGTERM calls `torch.distributed.broadcast` at once, in the midst of a step. The other processes are
#   not in that broadcast but in the all-reduce of the gradients, and nobody gets what he waits for. The handler is
#   installed without being asked for, also before a handler of one's own.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6:
#   exit codes without a signal: [0, 0]
#   exit codes 20 s after SIGTERM to process 1: [None, None]
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 lightning==2.6.6; } || exit 2
cat > train.py <<'PY'
import sys
import time
from pathlib import Path

import lightning
import torch
from torch.utils.data import DataLoader


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        if batch_idx == 20:
            Path(f"training-{self.global_rank}").touch()
        time.sleep(0.02)
        return self.layer(batch[:, None].float()).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-9)


trainer = lightning.Trainer(
    max_epochs=1, max_steps=int(sys.argv[1]), accelerator="cpu", devices=2, strategy="ddp", logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
trainer.fit(Model(), DataLoader(range(100_000), batch_size=1))
PY
venv/bin/python - <<'PY'
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def start(steps, port):
    """Two processes, with the variables that torchrun would set."""
    processes = []
    for rank in range(2):
        own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0}
        own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "x", "OMP_NUM_THREADS": 1}
        env = os.environ | {name: str(value) for name, value in own.items()}
        command = [sys.executable, "-W", "ignore", "train.py", str(steps)]
        processes.append(subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    return processes


whole = [process.wait(120) for process in start(50, 29871)]
print("exit codes without a signal:", whole)
for path in Path().glob("training-*"):
    path.unlink()
processes = start(100_000, 29872)
deadline = time.monotonic() + 120
while len(list(Path().glob("training-*"))) < 2 and time.monotonic() < deadline:
    time.sleep(0.1)
processes[1].send_signal(signal.SIGTERM)
time.sleep(20)
codes = [process.poll() for process in processes]
for process in processes:
    process.kill()
print("exit codes 20 s after SIGTERM to process 1:", codes)
sys.exit((whole, codes) != ([0, 0], [None, None]))
PY
