#!/usr/bin/env bash
# Lightning: StochasticWeightAveraging leaves the last epoch out, and averages an epoch from before its start.
#
# Expected: with `swa_epoch_start=3` of 4 epochs the result is the average of the weights after the third and the fourth,
#   which is what the algorithm averages: weights at the end of each epoch with its learning rate.
# Happens: weights are taken at the start of an epoch, those after the second and the third. The first of them was trained
#   by the schedule of before, and the last epoch is trained for nothing. One with `swa_epoch_start=4` is the network as
#   it was an epoch before the end; the default averages, of ten epochs, those after 7, 8 and 9. No warning. A
#   WeightAveraging that updates after epochs does what is expected.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6; a weight that is 4, 8, 12, 16 after the epochs:
#   no averaging: 16
#   swa_epoch_start=3: 10 (mean of 8, 12), WeightAveraging after epochs 3 and 4: 14 (mean of 12, 16)
#   swa_epoch_start=4: 12 (12 alone), WeightAveraging after epoch 4: 16 (16 alone)
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
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        return -self.weight

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


class AfterEpochs(WeightAveraging):
    def __init__(self, start):
        super().__init__()
        self.start = start

    def should_update(self, step_idx=None, epoch_idx=None):
        return epoch_idx is not None and epoch_idx >= self.start - 1


def fit(*callbacks):
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=4, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[*callbacks],
    )
    trainer.fit(model, DataLoader(range(4)))
    return model.weight.item()


plain = fit()
print(f"no averaging: {plain:g}")
three, four = (fit(StochasticWeightAveraging(swa_lrs=1.0, swa_epoch_start=start)) for start in (3, 4))
after_three, after_four = fit(AfterEpochs(3)), fit(AfterEpochs(4))
print(f"swa_epoch_start=3: {three:g} (mean of 8, 12), WeightAveraging after epochs 3 and 4: {after_three:g} (mean of 12, 16)")
print(f"swa_epoch_start=4: {four:g} (12 alone), WeightAveraging after epoch 4: {after_four:g} (16 alone)")
sys.exit([plain, three, after_three, four, after_four] != [16, 10, 14, 12, 16])
PY
