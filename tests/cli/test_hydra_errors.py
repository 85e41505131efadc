import pytest

TABLE = """
import torch, stnkit

class Table(stnkit.TransformFamily):
    n_params = 1

    def __init__(self, table: dict[str, float] = {"alpha": 1.0}, other: dict[str, float] | None = None, size: int = 1):
        super().__init__()

    def identity(self):
        return torch.zeros(1, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, :, None]

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("table", Table)
"""


@pytest.fixture
def table(make_distribution):
    make_distribution("tables", {"their_table": TABLE}, {"transform.table": "their_table"})


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (
            "transform.table.beta=2",
            "there is no transform.table.beta yet: write +transform.table.beta to add it; "
            "the keys of transform.table are alpha",
        ),
        (
            "transform.table.alpa=2",
            "there is no transform.table.alpa yet: write +transform.table.alpa to add it; "
            "did you mean transform.table.alpha?",
        ),
        ("transform.tabel.alpha=2", "there is no transform.tabel; did you mean transform.table?"),
        ("transform.sizes=2", "there is no transform.sizes; did you mean transform.size?"),
        ("training.epoch=2", "there is no training.epoch; did you mean training.epochs?"),
        ("sed=2", "there is no sed; did you mean seed?"),
    ],
)
def test_a_key_that_does_not_exist_is_told_how_to_be_added(word, sentence, table, stnkit_main):
    code, _, err = stnkit_main("train", "transform=table", word, "dry_run=true")
    assert code == 2
    assert err == f"stnkit train: {sentence}\n"


@pytest.mark.training
def test_the_hint_for_a_new_key_of_a_mapping_works(table, stnkit_main):
    words = ["transform=table", "+transform.table.beta=2", "dry_run=true"]
    code, out, err = stnkit_main("train", *words)
    assert (code, err) == (0, "")
    assert "beta" in out
