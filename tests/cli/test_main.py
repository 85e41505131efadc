def test_help_lists_every_verb(stnkit_main):
    code, out, _ = stnkit_main("--help")
    assert code == 0
    assert "train" in out
    assert "plugins" in out


def test_an_unknown_verb_lists_the_verbs(stnkit_main):
    code, _, err = stnkit_main("trian")
    assert code == 2
    assert "there is no command 'trian'; the commands are train, report, plugins" in err


def test_no_verb_is_a_mistake_and_prints_the_usage(stnkit_main):
    code, out, _ = stnkit_main()
    assert code == 2
    assert out.startswith("usage: stnkit COMMAND")


def test_the_version_is_the_distributions(stnkit_main):
    from importlib.metadata import version

    assert stnkit_main("--version")[:2] == (0, version("stnkit") + "\n")
