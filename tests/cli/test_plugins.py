import json

from stnkit.registry import registry


def test_the_list_names_every_component_with_its_origin(stnkit_main):
    code, out, _ = stnkit_main("plugins")
    assert code == 0
    lines = out.splitlines()
    for entry in registry().registered:
        (row,) = [line for line in lines if line.split()[:2] == [entry.kind, entry.name]]
        assert f"{entry.source.distribution} {entry.source.version} ({entry.source.module})" in row
        assert entry.component.summary[:20] in row


def test_json_holds_the_same_for_programs(stnkit_main):
    code, out, _ = stnkit_main("plugins", "--json")
    told = json.loads(out)
    assert code == 0
    assert {(c["kind"], c["name"]) for c in told["components"]} == {(e.kind, e.name) for e in registry().registered}
    assert all(c["summary"] for c in told["components"])
    assert told["broken"] == []


def test_a_broken_plugin_is_one_warning_line_and_a_row_with_its_reason(stnkit_process, tmp_path):
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


def test_an_unknown_argument_is_refused(stnkit_process):
    process = stnkit_process("plugins", "--nonsense")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in err
