"""Names in `training.loggers` that cannot be used are one sentence, before data is read."""

import importlib.util

import pytest

import stnkit
from stnkit.experiments.loop.loggers import check_loggers
from stnkit.plugin_system.registry import PluginWarning, plugin_registry
from tests.helpers import QUICK, metrics


def plugin(expression, before=""):
    return f"import stnkit\n{before}\n@stnkit.hookimpl\ndef stnkit_loggers():\n    return {expression}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["nonsense"], "there is no logger 'nonsense'; the loggers are: csv, tensorboard, wandb, mlflow"),
        (["csv", "csv"], "training.loggers: expected each logger once, got ['csv', 'csv']"),
    ],
)
def test_names_of_no_logger_and_repeated_ones_are_refused(names, message, stnkit_main):
    with pytest.raises(stnkit.errors.StnkitError) as caught:
        check_loggers(names)
    assert str(caught.value) == message
    code, _, err = stnkit_main("train", *QUICK, f"training.loggers=[{','.join(names)}]", "hydra.run.dir=run")
    assert (code, err) == (2, f"stnkit train: {message}\n")
    assert metrics("run")["status"] == "failed"


@pytest.mark.parametrize("name", [n for n in ("wandb", "mlflow") if importlib.util.find_spec(n) is None])
def test_a_library_that_is_missing_is_named_with_its_extra(name, stnkit_main):
    sentence = f"training.loggers: {name} is not installed: pip install 'stnkit[{name}]'"
    with pytest.raises(stnkit.errors.NotInstalledError) as caught:
        check_loggers([name])
    assert str(caught.value) == sentence
    code, _, err = stnkit_main("train", *QUICK, f"training.loggers=[{name}]", "hydra.run.dir=run")
    assert (code, err) == (2, f"stnkit train: {sentence}\n")


@pytest.mark.parametrize(
    ("case", "expression", "reason"),
    [
        ("pair", "[7]", "stnkit_loggers: expected a pair of a name and a function, got 7"),
        ("call", "[('a', 7)]", "expected a pair of a name and a function, got ('a', 7)"),
        ("name", "[('a b', print)]", "expected a name of a letter, then letters, digits and underscores, got 'a b'"),
        ("own", "[('csv', print)]", "the logger 'csv' is stnkit's own and cannot be taken"),
    ],
)
def test_what_a_plugin_yields_is_checked_with_a_reason(case, expression, reason, make_distribution):
    make_distribution("my-package", {f"bad_logger_{case}": plugin(expression)}, {"logger.bad": f"bad_logger_{case}"})
    with pytest.warns(PluginWarning) as caught:
        (broken,) = plugin_registry().broken
    assert len(caught) == 1
    assert reason in broken.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "make", "reason"),
    [
        ("raises", "lambda config, run_dir: 1 / 0", "ZeroDivisionError: division by zero"),
        ("other", "lambda config, run_dir: 7", "expected a Lightning logger, got 7"),
        ("lost", "lambda config, run_dir: __import__('no_such_module')", "No module named 'no_such_module'"),
    ],
)
def test_a_logger_that_cannot_be_made_names_its_plugin(case, make, reason, make_distribution, stnkit_main):
    module = f"failing_logger_{case}"
    make_distribution("my-package", {module: plugin(f"[('mine', {make})]")}, {"logger.mine": module})
    code, _, err = stnkit_main("train", *QUICK, "training.loggers=[mine]", "hydra.run.dir=run")
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"stnkit train: the logger 'mine' of my-package 1.0 ({module}) cannot be used: ")
    assert reason in line


def test_a_logger_of_two_distributions_is_nobodys(make_distribution):
    for name in ("first", "second"):
        make_distribution(
            name, {f"logger_of_{name}": plugin("[('same', print)]")}, {"logger.same": f"logger_of_{name}"}
        )
    with pytest.warns(PluginWarning, match="the logger 'same' is provided twice, by .*first 1.0"):
        plugin_registry()
    with pytest.raises(stnkit.errors.PluginError, match="uninstall or block one of them"):
        check_loggers(["same"])
