"""For each kind a component that does all it has to, and for each check one that fails it and no other."""

import contextlib
import functools
import warnings

import torch

import stnkit


def called_under_autocast():
    """True if the caller of a contract had autocast on: the contract switches it off in a context of its own."""
    depth = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return depth > 0


@contextlib.contextmanager
def plugin_api_1():
    """Classes that are defined here may override a final method, without the warning about that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stnkit.errors.RenamedWarning)
        yield


def shadow(component, name, changed):
    """Call `changed(method, …)` for a final method of one object: the check of its class does not see it."""
    setattr(component, name, functools.partial(changed, getattr(component, name)))
