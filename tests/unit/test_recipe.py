"""Recipes: TOML and overrides in, typed settings out, TOML again; every mistake is named."""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailorlm.recipe import dump, load, override, settings

RECIPE = """
base = "tiny"
[training]
steps = 10
lr = 1e-3
[training.warmup]
share = 0.2
"""


@dataclass(frozen=True)
class Warmup:
    share: float = 0.1


@dataclass(frozen=True)
class Training:
    steps: int
    lr: float = 2e-4
    warmup: Warmup = Warmup()
    early: int | None = None
    head: Literal["L", "M", "S"] = "L"
    targets: tuple[str, ...] = ("q_proj",)
    betas: tuple[float, float] = (0.9, 0.999)
    weights: Mapping[str, float] = field(default_factory=dict)
    notes: list[int] = field(default_factory=list)
    seeds: Sequence[int] = ()
    out: Path = Path("runs")
    mix: str | int | None = None
    any: Any = None
    both: Warmup | None = None
    fast: bool = False
    inner: int = field(init=False, default=3)

    def __post_init__(self):
        if self.steps < 0:
            raise ValueError("steps may not be negative")


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(RECIPE)
    return path


def test_a_recipe_is_its_tables(recipe):
    assert load(recipe) == {"base": "tiny", "training": {"steps": 10, "lr": 1e-3, "warmup": {"share": 0.2}}}


def test_overrides_in_their_order(recipe):
    table = load(recipe, ["training.steps=5", "training.lr = 2", "new.deep.key=[1, 2]", "training.steps=6"])
    assert table["training"]["steps"] == 6 and table["training"]["lr"] == 2
    assert table["new"] == {"deep": {"key": [1, 2]}}
    assert load(recipe)["training"]["steps"] == 10


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1e-4", 1e-4),
        ("a=true", True),
        ("a=inf", math.inf),
        ('a="x = y"', "x = y"),
        ("a=''", ""),
        ("a=Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("a=../runs/x.toml", "../runs/x.toml"),
        ("a=~/x", "~/x"),
        ("a=True", "True"),
        ("a=2024-01-02", date(2024, 1, 2)),
        ("a={b = 1}", {"b": 1}),
        ("a=[1,\n2]", [1, 2]),
    ],
)
def test_values_have_the_type_of_their_toml(text, value):
    path, found = override(text)
    assert path == ["a"] and found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "=1",
        "a b=1",
        "a..b=1",
        ".a=1",
        "a=",
        "a=1\nb=2",
        "a=1\n[b]",
        "a=1x",
        "a=[1",
        "a=x y",
        "a=b=c",
        "é=1",
    ],
)
def test_what_is_no_override_is_refused(recipe, text):
    with pytest.raises(ValueError, match="--set"):
        load(recipe, [text])


@pytest.mark.parametrize(
    "text", ["base.x=1", "training.steps.x=1", "training=5", "base={x = 1}", "training.warmup=0.1"]
)
def test_a_table_and_a_value_never_replace_each_other(recipe, text):
    with pytest.raises(ValueError, match="in the recipe"):
        load(recipe, [text])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a = ", "not TOML"),
        (b"a = 1\na = 2", "not TOML"),
        (b"\xff", "not UTF-8 at byte 1"),
        (b"a=" + b"[" * 5000, "not TOML"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(tmp_path, content, reason):
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_no_file_and_a_byte_order_mark(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        load(tmp_path / "none.toml")
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1")
    assert load(path) == {"a": 1}


def test_settings_from_a_table():
    table = {
        "steps": 5,
        "lr": 1,
        "warmup": {"share": 0.5},
        "early": 3,
        "head": "M",
        "targets": ["a", "b"],
        "betas": [1, 0.5],
        "weights": {"x": 1},
        "notes": [1],
        "seeds": [1, 2],
        "out": "a/b",
        "mix": 4,
        "any": {"x": [1]},
        "both": {"share": 0},
        "fast": True,
    }
    found = settings(Training, table)
    assert found == Training(
        5, 1.0, Warmup(0.5), 3, "M", ("a", "b"), (1.0, 0.5), {"x": 1.0}, [1], (1, 2), Path("a/b"), 4, {"x": [1]},
        Warmup(0.0), True,
    )  # fmt: skip
    assert type(found.lr) is float and type(found.both.share) is float
    assert settings(Training, {"steps": 1}) == Training(1)
    assert settings(Training, {"steps": 1, "mix": "x"}).mix == "x"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"stepz": 1}, "training.stepz: no such setting; did you mean steps\\? there are: steps, lr"),
        ({"zzzzzz": 1}, "no such setting; there are"),
        ({"inner": 1}, "no such setting"),
        ({"steps": "5"}, "training.steps: expected a whole number, found '5'"),
        ({"steps": 5.0}, "expected a whole number, found 5.0"),
        ({"steps": True}, "expected a whole number, found True"),
        ({"lr": True}, "expected a number, found True"),
        ({"lr": math.nan}, "expected a number, found nan"),
        ({"lr": "1"}, "expected a number"),
        ({"fast": 1}, "expected true or false, found 1"),
        ({"head": "X"}, "expected one of 'L', 'M', 'S', found 'X'"),
        ({"early": "x"}, "expected a whole number"),
        ({"warmup": 1}, "training.warmup: expected a table"),
        ({"warmup": {"shar": 1}}, "training.warmup.shar: no such setting; did you mean share"),
        ({"both": {"share": "x"}}, "training.both.share: expected a number"),
        ({"targets": "q_proj"}, "expected a list, found 'q_proj'"),
        ({"targets": ["a", 1]}, r"training.targets\[1\]: expected text in quotes, found 1"),
        ({"betas": [1]}, "expected 2 values"),
        ({"weights": {"x": "y"}}, "training.weights.x: expected a number"),
        ({"weights": []}, "expected a table"),
        ({"out": 1}, "expected a path in quotes"),
        ({"mix": 1.5}, "expected text in quotes or a whole number, found 1.5"),
        ({"steps": -1}, "steps may not be negative"),
    ],
)
def test_a_wrong_setting_is_named(more, said):
    with pytest.raises(ValueError, match=said):
        settings(Training, {"steps": 1} | more, "training")


def test_a_missing_setting_is_named():
    with pytest.raises(ValueError, match=r"training\.steps: missing"):
        settings(Training, {}, "training")
    with pytest.raises(ValueError, match="^steps: missing"):
        settings(Training, {})


def test_a_type_that_no_recipe_can_hold_is_the_programmers_mistake():
    @dataclass(frozen=True)
    class Odd:
        one: complex = 1j

    with pytest.raises(TypeError, match="complex"):
        settings(Odd, {"one": 1})


def test_dumped_settings_read_back():
    made = Training(5, 1e-5, Warmup(0.5), weights={"a b": 1.0}, notes=[1], mix='q"uo\\te\n', any={"x": [{"y": 1}]})
    assert (
        settings(Training, {key: value for key, value in tomllib.loads(dump(made)).items() if key != "inner"}) == made
    )
    assert "early" not in dump(made)


def test_dumped_text_is_readable():
    assert dump({"b": 1, "t": {"u": {"v": True}, "w": "é"}, "a": [1.5]}) == (
        'b = 1\na = [1.5]\n\n[t]\nw = "é"\n\n[t.u]\nv = true\n'
    )


keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
plain = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.dates(),
)
tables = st.recursive(
    st.dictionaries(keys, plain, max_size=3),
    lambda inner: st.dictionaries(keys, plain | st.lists(plain | inner, max_size=3) | inner, max_size=3),
    max_leaves=8,
)


@given(tables)
def test_whatever_is_dumped_reads_back(table):
    assert tomllib.loads(dump(table)) == table


@pytest.mark.parametrize("value", [math.nan, 1j, [None], "\ud800", {"\ud800": 1}, b"x"])
def test_what_toml_cannot_say_is_refused(value):
    with pytest.raises(ValueError, match="cannot"):
        dump({"a": value})


@pytest.mark.parametrize("value", [5, Training, None])
def test_only_tables_are_dumped(value):
    with pytest.raises(ValueError, match="a mapping or a dataclass"):
        dump(value)


def test_an_inner_table_keeps_what_the_fields_own_default_says():
    @dataclass(frozen=True)
    class Inner:
        size: int = 1
        names: tuple[str, ...] = ("a",)

    @dataclass(frozen=True)
    class Middle:
        inner: Inner = field(default_factory=lambda: Inner(size=5, names=("b", "c")))
        other: int = 0

    @dataclass(frozen=True)
    class Outer:
        middle: Middle = field(default_factory=lambda: Middle(other=7))

    made = settings(Outer, {"middle": {"inner": {"size": 2}}})
    assert made == Outer(Middle(Inner(2, ("b", "c")), 7))
    with pytest.raises(ValueError, match="middle.inner.sise: no such setting; .*size"):
        settings(Outer, {"middle": {"inner": {"sise": 2}}})


@dataclass(frozen=True)
class Ranged:
    steps: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"train.steps is {self.steps}; valid is at least 1")


@dataclass(frozen=True)
class Plainly:
    train: Ranged = field(default_factory=Ranged)
    epochs: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ValueError(f"epochs is {self.epochs}")


@pytest.mark.parametrize(
    ("table", "where", "said"),
    [
        ({"train": {"steps": 0}}, "methods.p2p", "methods.p2p.train.steps is 0; valid is at least 1"),
        ({"train": {"steps": 0}}, "", "train.steps is 0; valid is at least 1"),
        ({"epochs": -1}, "methods.p2p", "methods.p2p: epochs is -1"),
        ({"epochs": -1}, "", "epochs is -1"),
    ],
)
def test_what_a_dataclass_refuses_says_where(table: dict, where: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        settings(Plainly, table, where)
