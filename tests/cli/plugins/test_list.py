import dataclasses
import json

import pytest
from rich.console import Console

from stnkit.cli.plugins import list as list_subcommand
from stnkit.native import status
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.registry import plugin_registry


@pytest.fixture
def terminal(monkeypatch):
    """Makes `stnkit plugins list` see a terminal of a given width."""

    def of_width(columns):
        monkeypatch.setattr(
            list_subcommand, "Console", lambda: Console(force_terminal=True, color_system=None, width=columns)
        )

    return of_width


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "list"]])
def test_piped_each_component_is_one_line_with_its_origin(arguments, stnkit_main):
    code, out, _ = stnkit_main(*arguments)
    assert code == 0
    lines = out.splitlines()
    assert lines.pop() == str(status())
    assert len(lines) == 1 + len(plugin_registry().registered)
    for entry in plugin_registry().registered:
        (row,) = [line for line in lines if line.split()[:2] == [entry.kind, entry.name]]
        assert f"{entry.source.distribution} {entry.source.version} ({entry.source.module})" in row
        assert entry.component.summary in row
    assert lines == [line.rstrip() for line in lines]


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_in_a_terminal_each_component_is_one_line_that_fits(columns, stnkit_main, terminal):
    terminal(columns)
    code, out, _ = stnkit_main("plugins", "list")
    assert code == 0
    lines = [line for line in out.splitlines() if line.strip()]
    assert max(map(len, lines)) <= columns
    for entry in plugin_registry().registered:
        (row,) = [
            line
            for line in lines
            if f" {entry.name} " in line and entry.component.summary[:20] in line and entry.source.distribution in line
        ]
        # The whole provenance where there is room for it.
        assert (entry.source.module in row) == (columns == 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_filters_the_list(kind, stnkit_main):
    code, out, _ = stnkit_main("plugins", "list", kind, "--json")
    assert code == 0
    assert [c["name"] for c in json.loads(out)["components"]] == plugin_registry().names(kind)


def test_json_holds_the_same_for_programs(stnkit_main):
    code, out, _ = stnkit_main("plugins", "--json")
    told = json.loads(out)
    assert code == 0
    assert {(c["kind"], c["name"]) for c in told["components"]} == {
        (e.kind, e.name) for e in plugin_registry().registered
    }
    assert all(c["summary"] for c in told["components"])
    assert told["broken"] == []
    assert told["native"] == dataclasses.asdict(status())


def test_a_broken_plugin_is_one_warning_and_a_row(stnkit_process, tmp_path):
    info = tmp_path / "site" / "breaks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: breaks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[stnkit]\ntransform.bad = no_such_module_at_all\n")
    code = f"import sys; sys.path.insert(0, {str(info.parent)!r}); from stnkit.cli.main import entry; entry()"
    out, err = stnkit_process("plugins", code=code).communicate(timeout=60)
    (warning,) = err.splitlines()
    assert warning.startswith("warning: plugin transform.bad of breaks 1.0")
    (row,) = [line for line in out.splitlines() if "broken" in line]
    assert "breaks 1.0" in row
    assert "No module named 'no_such_module_at_all'" in row


@pytest.mark.filterwarnings("ignore::stnkit.plugin_system.registry.PluginWarning")
def test_in_a_terminal_a_broken_plugin_tells_its_whole_reason(stnkit_main, terminal, make_distribution):
    make_distribution("breaks", {}, {"transform.bad": "no_such_module_at_all"})
    terminal(80)
    _, out, _ = stnkit_main("plugins")
    assert "broken transform.bad of breaks 1.0" in out
    assert "No module named 'no_such_module_at_all'" in " ".join(out.split())
    assert "transform.bad" not in stnkit_main("plugins", "list", "sampler")[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense; `stnkit plugins list --help` lists the arguments"),
        (["lst"], "there is no subcommand 'lst'; the subcommands are list, show, check, new"),
        (["list", "trnsform"], "there is no kind 'trnsform'; the kinds are transform, localizer"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, stnkit_main):
    code, out, err = stnkit_main("plugins", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["list"], ["show"], ["check"], ["new"]])
def test_every_subcommand_has_help(arguments, stnkit_main):
    code, out, err = stnkit_main("plugins", *arguments, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: stnkit plugins")
