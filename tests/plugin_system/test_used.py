"""Plugins that a part of the program uses, collected for this part alone."""

import threading

from stnkit.plugin_system.discovery import Source
from stnkit.plugin_system.used import OWN, plugins_used, tell_used

PLUGIN, OTHER, STNKIT = (Source("transform.a", "module", name, "1.0") for name in ("plugin", "other", OWN))


def test_every_context_collects_what_is_used_in_it():
    with plugins_used() as outer:
        tell_used("transform.a", PLUGIN)
        with plugins_used() as inner:
            tell_used("transform.b", OTHER)
            tell_used("transform.affine", STNKIT)
        tell_used("transform.c", PLUGIN)
    tell_used("transform.d", PLUGIN)
    assert inner == {"transform.b": OTHER}
    assert outer == {"transform.a": PLUGIN, "transform.b": OTHER, "transform.c": PLUGIN}


def test_what_another_thread_uses_is_not_collected():
    with plugins_used() as used:
        other = threading.Thread(target=tell_used, args=("transform.a", PLUGIN))
        other.start()
        other.join()
    assert used == {}
