#!/usr/bin/env bash
# Lightning: validating changes the order in which a run trains, though the validation loader is not shuffled.
#
# Expected: a model in evaluation mode and a sequential loader draw no random numbers, so that a seeded run sees the
#   same batches with and without validation, or with one of every second epoch.
# Happens: each pass over a DataLoader draws a seed for its workers from torch's global generator, without workers and
#   without shuffling too. From the second epoch on batches come in another order and dropout draws other masks. The
#   sanity check is isolated, validation is not. So "the same seed" with other `check_val_every_n_epoch` is another run,
#   and two ablations differ by chance. A `generator` of the validation loader's own removes the effect. No warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6; the order of six samples in the second epoch:
#   no validation: [4, 5, 1, 2, 3, 0]
#   validation in every epoch: [5, 2, 0, 3, 1, 4]
#   validation by a loader with a generator: [4, 5, 1, 2, 3, 0]
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
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.orders = []

    def training_step(self, batch, batch_idx):
        self.orders.append(batch.tolist())
        return self.layer(batch[:, None].float()).sum()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def second_epoch(*validation):
    lightning.seed_everything(0, verbose=False)
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(range(6), batch_size=6, shuffle=True), *validation)
    return model.orders[1]


without = second_epoch()
every = second_epoch(DataLoader(range(2)))
own = second_epoch(DataLoader(range(2), generator=torch.Generator()))
print("no validation:", without)
print("validation in every epoch:", every)
print("validation by a loader with a generator:", own)
sys.exit(not (without != every and without == own))
PY
