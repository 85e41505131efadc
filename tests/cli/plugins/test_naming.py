import pytest

import stnkit
from stnkit.cli.plugins import naming


def test_each_kind_of_a_name_has_its_article(monkeypatch):
    monkeypatch.setattr(naming, "kinds_of", lambda name: ["dataset", "objective"])
    with pytest.raises(stnkit.errors.InputError, match="'three' is a dataset and an objective: name the kind too"):
        naming.component_named(["three"])
