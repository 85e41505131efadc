#!/usr/bin/env bash
# Lightning: `ModelCheckpoint(monitor=..., save_last=True)` leaves the best epoch in last.ckpt, not the last one.
#
# Expected: last.ckpt is the state after the last epoch, from which an interrupted run goes on.
# Happens: it is written whenever another file is saved, and with a monitor that is when an epoch is among the best.
#   From there on it is not touched: a job that is killed in epoch 80 and resumed from last.ckpt goes on after its best
#   epoch, perhaps 20, again and again under a time limit. After the training it is one of the best epochs once more.
#   Without `monitor`, or with `save_top_k=-1`, it is the last. No warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6; six epochs, the second is the best:
#   monitor, save_top_k=1: last.ckpt is of epoch 1, a run resumed from it trains epochs [2, 3, 4, 5]
#   monitor, save_top_k=-1: last.ckpt is of epoch 5, a run resumed from it trains epochs []
#   no monitor: last.ckpt is of epoch 5, a run resumed from it trains epochs []
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{ python3 -m venv venv && venv/bin/pip install --quiet torch==2.13.0 lightning==2.6.6; } || exit 2
venv/bin/python -W ignore - <<'PY'
import logging
import sys

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
LOSSES = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0]


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.trained = []

    def training_step(self, batch, batch_idx):
        return self.layer(batch[:, None].float()).sum()

    def validation_step(self, batch, batch_idx):
        self.log("loss", LOSSES[self.current_epoch])

    def on_train_epoch_start(self):
        self.trained.append(self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(callbacks, ckpt_path=None):
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=len(LOSSES), accelerator="cpu", logger=False, enable_checkpointing=bool(callbacks),
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, callbacks=callbacks,
    )
    trainer.fit(model, DataLoader(range(4)), DataLoader(range(2)), ckpt_path=ckpt_path)
    return model.trained


seen = []
for title, options, epoch in (
    ("monitor, save_top_k=1", {"monitor": "loss", "save_top_k": 1}, 1),
    ("monitor, save_top_k=-1", {"monitor": "loss", "save_top_k": -1}, 5),
    ("no monitor", {}, 5),
):
    fit([ModelCheckpoint(title, save_last=True, **options)])
    last = torch.load(f"{title}/last.ckpt", weights_only=False)["epoch"]
    trained = fit([], f"{title}/last.ckpt")
    print(f"{title}: last.ckpt is of epoch {last}, a run resumed from it trains epochs {trained}")
    seen.append((last, trained) == (epoch, list(range(epoch + 1, 6))))
sys.exit(not all(seen))
PY
