#!/usr/bin/env bash
# Lightning: until EMAWeightAveraging starts to average, a run validates and saves the weights from before the training.
#
# Expected: with `update_starting_at_step` the weights of the training are validated and saved up to that step, and their
#   average from there on. A run that ends earlier ends with the weights that it has trained.
# Happens: the average is a copy of the network from before the first step, and validation, checkpoints and the end of
#   `fit` take it whether it has been updated or not. The validated figure does not move, `monitor` keeps an untrained
#   epoch, early stopping ends the run, and a run that is shorter than the start gives back the weights that it began
#   with: the training is lost, from the network and from `state_dict` of its checkpoints. The same for `should_update` of
#   a WeightAveraging that returns False at first, as in the example of its documentation. No warning.
# Seen with Python 3.11.7, torch 2.13.0+cpu, lightning 2.6.6; a weight that grows from 0 by 1 in each step, 4 epochs of 4 steps:
#   no averaging: validated 4, 8, 12, 16, at the end 16, in the first checkpoint 4
#   from the first step: validated 3.12, 7.01, 11, 15, at the end 15, in the first checkpoint 3.12
#   from step 8: validated 0, 0, 11.1, 15, at the end 15, in the first checkpoint 0
#   from step 100: validated 0, 0, 0, 0, at the end 0, in the first checkpoint 0
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
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch.utils.data import DataLoader

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.validated = []

    def training_step(self, batch, batch_idx):
        return -self.weight

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.weight.item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


seen = []
for title, averaging, expected in (
    ("no averaging", [], [4, 8, 12, 16, 16, 4]),
    ("from the first step", [EMAWeightAveraging(decay=0.5)], [3.125, 7.0078, 11, 15, 15, 3.125]),
    ("from step 8", [EMAWeightAveraging(decay=0.5, update_starting_at_step=8)], [0, 0, 11.125, 15.0078, 15.0078, 0]),
    ("from step 100", [EMAWeightAveraging(decay=0.5, update_starting_at_step=100)], [0, 0, 0, 0, 0, 0]),
):
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=4, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, callbacks=[*averaging, ModelCheckpoint(title, filename="{epoch}", save_top_k=-1)],
    )
    trainer.fit(model, DataLoader(range(4)), DataLoader(range(1)))
    saved = torch.load(f"{title}/epoch=0.ckpt", weights_only=False)["state_dict"]["weight"].item()
    end = model.weight.item()
    validated = ", ".join(f"{value:.3g}" for value in model.validated)
    print(f"{title}: validated {validated}, at the end {end:.3g}, in the first checkpoint {saved:.3g}")
    got = torch.tensor([*model.validated, end, saved])
    seen.append(torch.allclose(got, torch.tensor(expected, dtype=got.dtype), atol=1e-2))
sys.exit(not all(seen))
PY
