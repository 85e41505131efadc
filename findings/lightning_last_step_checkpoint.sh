#!/usr/bin/env bash
# Lightning: a run resumed from a checkpoint of the last step of an epoch leaves out the validation of that epoch.
#
# Expected: the step is done and the validation is not, so the resumed run starts with the validation.
# Happens: it starts with the next epoch. `ModelCheckpoint(every_n_train_steps=...)` writes such a checkpoint whenever
#   the number of steps is a multiple of the length of an epoch; a job that is killed during validation meets it.
#   There is no warning, and what monitors the validation (early stopping, a scheduler) misses one epoch.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6:
#   epochs validated, uninterrupted: [0, 1, 2]
#   epochs validated, resumed from step 4, the last of epoch 0: [1, 2]
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


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.validated = []

    def training_step(self, batch, batch_idx):
        return self.layer(batch[:, None].float()).sum()

    def validation_step(self, batch, batch_idx):
        pass

    def on_validation_epoch_end(self):
        self.validated.append(self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(callbacks, ckpt_path=None):
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=bool(callbacks), enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=callbacks,
    )
    trainer.fit(model, DataLoader(range(4), batch_size=1), DataLoader(range(2), batch_size=1), ckpt_path=ckpt_path)
    return model.validated


every_four_steps = ModelCheckpoint(".", "{step}", every_n_train_steps=4, save_top_k=-1)
full = fit([every_four_steps])
resumed = fit([], "step=4.ckpt")
print("epochs validated, uninterrupted:", full)
print("epochs validated, resumed from step 4, the last of epoch 0:", resumed)
sys.exit((full, resumed) != ([0, 1, 2], [1, 2]))
PY
