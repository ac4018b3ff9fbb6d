"""Plugins are found by module name and by entry point; wrong names are answered with the nearest."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from tailorlm import plugins


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A package `shop` with two plugins and things that are none, for the root of the search."""
    folder = tmp_path / "shop"
    (folder / "methods" / "deep").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "methods/__init__.py": "",
        "methods/prime.py": "class Settings:\n    pass\n",
        "methods/p2p.py": "from x import y as Settings\nraise ImportError('this module needs an extra')\n",
        "methods/method.py": "Method = 5\n",
        "methods/objectives.py": "class LossSettings:\n    Settings = 1\ndef f():\n    Settings = 2\n",
        "methods/_hidden.py": "Settings = 5\n",
        "methods/deep/__init__.py": "Settings = 5\n",
        "tasks/__init__.py": "",
        "tasks/plain.py": "TASK: int = 5\n",
        "tasks/task.py": "class Task:\n    pass\n",
        "methods/deep/tables/__init__.py": "",
        "methods/deep/tables/scores.py": "TABLE = 5\n",
    }
    (folder / "tasks").mkdir()
    (folder / "methods" / "deep" / "tables").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "ROOT", "shop")
    monkeypatch.setattr(plugins, "entry_points", lambda group: ())
    yield folder
    for name in [name for name in sys.modules if name == "shop" or name.startswith("shop.")]:
        del sys.modules[name]


def points(monkeypatch, *made):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [one for one in made if one.group == group])


def test_plugins_are_found_by_what_they_define_without_importing_them(shop):
    assert plugins.names("methods") == ("p2p", "prime")
    assert plugins.names("tasks") == ("plain",)
    assert not any(name.startswith("shop.methods.") for name in sys.modules)
    assert plugins.find("methods", "prime").Settings
    assert plugins.find("tasks", "plain").TASK == 5


def test_a_package_may_be_an_inner_one(shop):
    assert plugins.names("methods.deep.tables") == ("scores",)
    assert plugins.find("methods.deep.tables", "scores").TABLE == 5


def test_what_a_plugin_raises_passes_through(shop):
    with pytest.raises(ImportError, match="extra|x"):
        plugins.find("methods", "p2p")


@pytest.mark.parametrize("name", ["prine", "method", "_hidden", "deep", "", "prime.x", "../prime", "x" * 1000])
def test_an_unknown_name_is_answered_with_the_valid_ones(shop, name):
    with pytest.raises(ValueError, match="in methods.*there are: p2p, prime") as caught:
        plugins.find("methods", name)
    assert ("did you mean prime?" in str(caught.value)) == (name in ("prine", "prime.x", "../prime"))


@pytest.mark.parametrize(
    "package",
    ["method", "nothing", "methods.prime", "", "..", "methods/deep", "nothing.deep", "methods.p2p.x", "methods."],
)
def test_an_unknown_package_is_answered_with_the_valid_ones(shop, package):
    for call in (lambda: plugins.names(package), lambda: plugins.find(package, "prime")):
        with pytest.raises(ValueError, match="no package .* in shop; .*there are: methods, tasks"):
            call()


def test_entry_points_add_plugins(shop, monkeypatch):
    points(
        monkeypatch,
        EntryPoint("mine", "json.tool", "shop.methods"),
        EntryPoint("other", "json", "shop.tasks"),
    )
    assert plugins.names("methods") == ("mine", "p2p", "prime")
    found = plugins.find("methods", "mine")
    assert isinstance(found, ModuleType) and found.__name__ == "json.tool"


def test_two_providers_are_refused_with_both_named(shop, monkeypatch):
    points(monkeypatch, EntryPoint("prime", "json", "shop.methods"))
    with pytest.raises(ValueError, match=r"shop\.methods\.prime, json \(of an unnamed distribution\)"):
        plugins.find("methods", "prime")


def test_an_entry_point_has_to_be_a_module(shop, monkeypatch):
    points(monkeypatch, EntryPoint("mine", "json:loads", "shop.methods"))
    with pytest.raises(ValueError, match="json:loads.* is not a module"):
        plugins.find("methods", "mine")


def test_our_own_packages_are_there():
    assert "none" in plugins.names("contexts")
    assert plugins.find("contexts", "none").build
