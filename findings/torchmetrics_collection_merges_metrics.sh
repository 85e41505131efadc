#!/usr/bin/env bash
# torchmetrics: a MetricCollection takes two metrics for one if they agree on the first batch.
#
# Expected: each metric of a collection has the value that it has alone. Metrics that need the same sums share them, which
#   their class and options decide.
# Happens: the sums after the first `update` decide. Metrics whose sums are equal by then are one from there on: an accuracy
#   at another threshold, or one without a class, gets the value of the other, if the first batch is an easy one or lacks
#   the class. The name that comes first in the alphabet is right. Another order of the batches gives other figures. No
#   warning. With `compute_groups=False` each is on its own.
# Seen with Python 3.11.7, torch 2.13.0+cpu, torchmetrics 1.9.0; two batches, accuracies, with the easy batch first or last:
#   at 0.5, at 0.9: alone 0.875, 0.750; easy first 0.875, 0.875; last 0.875, 0.750; without groups 0.875, 0.750
#   all, without class 0: alone 0.800, 0.667; easy first 0.800, 0.800; last 0.800, 0.667; without groups 0.800, 0.667
# Exit code: 0 as seen, 1 if the behavior changed, 2 if the packages cannot be installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
{
  python3 -m venv venv &&
    venv/bin/pip install --quiet torch==2.13.0 numpy==2.4.6 packaging==26.4 &&
    venv/bin/pip install --quiet --no-deps torchmetrics==1.9.0 lightning-utilities==0.15.3
} || exit 2
venv/bin/python -W ignore - <<'PY'
import sys

import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy

sure = torch.tensor([0.95, 0.99, 0.02, 0.01]), torch.tensor([1, 1, 0, 0])
unsure = torch.tensor([0.7, 0.6, 0.8, 0.3]), torch.tensor([1, 0, 1, 0])
without_0 = torch.tensor([1, 2, 1, 2]), torch.tensor([1, 2, 1, 2])
with_0 = torch.tensor([0, 0, 0, 0, 2, 1]), torch.tensor([0, 0, 0, 0, 1, 2])


def values(metrics, batches, **options):
    collection = MetricCollection(metrics, **options)
    for predicted, target in batches:
        collection.update(predicted, target)
    return {name: round(value.item(), 3) for name, value in collection.compute().items()}


def metrics_of_thresholds():
    return {"at_50": BinaryAccuracy(threshold=0.5), "at_90": BinaryAccuracy(threshold=0.9)}


def metrics_of_classes():
    options = {"num_classes": 3, "average": "micro"}
    return {"all": MulticlassAccuracy(**options), "without 0": MulticlassAccuracy(**options, ignore_index=0)}


seen = []
for title, make, batches in (
    ("at 0.5, at 0.9", metrics_of_thresholds, [sure, unsure]),
    ("all, without class 0", metrics_of_classes, [without_0, with_0]),
):
    alone = {}
    for name, metric in make().items():
        alone |= values({name: metric}, batches)
    first, last = values(make(), batches), values(make(), batches[::-1])
    apart = values(make(), batches, compute_groups=False)
    texts = [", ".join(f"{value:.3f}" for value in result.values()) for result in (alone, first, last, apart)]
    print(f"{title}: alone {texts[0]}; easy first {texts[1]}; last {texts[2]}; without groups {texts[3]}")
    a, b = alone.values()
    seen.append(a != b and [*first.values()] == [a, a] and last == alone and apart == alone)
sys.exit(not all(seen))
PY
