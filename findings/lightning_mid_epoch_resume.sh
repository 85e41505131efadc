#!/usr/bin/env bash
# Lightning: a run resumed in mid-epoch trains twice on some samples of that epoch and never on others.
#
# Expected: `fit(ckpt_path=...)` with a checkpoint of step 2 of 4 goes on with batches 2 and 3, or repeats the epoch.
# Happens: the batch index goes on at 2, but the DataLoader starts again. The model sees the first half of the epoch
#   twice and the second half never, also without shuffling. Lightning warns of "unreliable results"; a loader with
#   `state_dict` and `load_state_dict` avoids it.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6:
#   epoch 0, uninterrupted: [(0, 0), (1, 1), (2, 2), (3, 3)]
#   epoch 0, resumed after step 2: [(2, 0), (3, 1)]
#   samples of epoch 0 seen by the resumed run: [0, 1, 0, 1]
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
        self.seen = []  # (batch index, sample) of epoch 0

    def training_step(self, batch, batch_idx):
        if self.current_epoch == 0:
            self.seen.append((batch_idx, int(batch)))
        return self.layer(batch[:, None].float()).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class SaveAfterTwoSteps(lightning.Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 2:
            trainer.save_checkpoint("two_steps.ckpt")


def fit(callbacks, ckpt_path=None):
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=callbacks,
    )
    trainer.fit(model, DataLoader(range(4), batch_size=1), ckpt_path=ckpt_path)
    return model.seen


full = fit([SaveAfterTwoSteps()])
resumed = fit([], "two_steps.ckpt")
samples = [sample for _, sample in full[:2] + resumed]
print("epoch 0, uninterrupted:", full)
print("epoch 0, resumed after step 2:", resumed)
print("samples of epoch 0 seen by the resumed run:", samples)
sys.exit(resumed != [(2, 0), (3, 1)])
PY
