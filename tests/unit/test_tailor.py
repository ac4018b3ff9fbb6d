"""The public API on a tiny trained run: load, refuse, personalise, generate, export, reload with PEFT."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tailorlm import Interaction, Personal, Profile, Statement, Tailor, User
from tailorlm.adapters.batch import BadAdapters
from tailorlm.assembly.profilers import Known, make
from tailorlm.assembly.recipes import ProfileSettings
from tailorlm.data.load import load
from tailorlm.hypernet.checkpoint import from_pretrained, save_pretrained
from tailorlm.hypernet.config import BadCheckpoint
from tailorlm.profiles import replies
from tailorlm.profiles.cache import CachedEncoder, claim
from tailorlm.profiles.endpoint import Endpoint, Settings

HISTORY = [("Write a headline: rain", "RAIN!"), {"input": "Write a headline: sun", "output": "SUN!"}]


@pytest.fixture(scope="module")
def tailor(tiny_run: Path) -> Tailor:
    return Tailor.from_pretrained(tiny_run / "checkpoint")


@pytest.fixture(scope="module")
def people(tiny_users: Path) -> list[User]:
    return list(load(tiny_users).users.values())


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_is_quick_and_leaves_torch_alone() -> None:
    code = (
        "import time; t = time.process_time(); import tailorlm, sys; t = time.process_time() - t;"
        "print(t, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    seconds, *loaded = min((python(code).split() for _ in range(3)), key=lambda found: float(found[0]))
    assert float(seconds) < 0.3 and loaded == ["False", "False"]


def test_names_come_when_they_are_used() -> None:
    code = (
        "import tailorlm, sys; tailorlm.User;"
        "print('torch' in sys.modules, sorted(set(tailorlm.__all__)) == dir(tailorlm))"
    )
    assert python(code) == "False True"
    with pytest.raises(AttributeError, match="no attribute 'Tailro'"):
        import tailorlm

        tailorlm.Tailro  # noqa: B018


def test_many_users_at_once_equal_one_at_a_time(tailor: Tailor, people: list[User]) -> None:
    together = tailor.personalize(users=people)
    assert together.user_ids == tuple(user.id for user in people) and not together.notes
    for place in (0, 4):
        alone = tailor.personalize(users=people[place])
        for name, tensor in alone.adapters.tensors.items():
            torch.testing.assert_close(tensor[0], together.adapters.tensors[name][place], atol=1e-6, rtol=0)


def test_users_differ_and_so_do_their_texts(tailor: Tailor, people: list[User]) -> None:
    one, two = tailor.personalize(users=people[:2]), tailor.personalize(history=[("Write a headline: x", "x")])
    assert two.user_ids == ("user",)
    name = next(name for name in one.adapters.tensors if name.endswith(".B"))
    assert not torch.equal(one.adapters.tensors[name][0], one.adapters.tensors[name][1])


def test_forgetting_a_user_leaves_nothing_of_the_own_statements(
    tiny_run: Path, people: list[User], tmp_path: Path
) -> None:
    cached = Tailor.from_pretrained(tiny_run / "checkpoint", cache=tmp_path)
    said = ("zebra quince at dawn", "zebra quince by the sea", "zebra quince over hills of sand", "zebra quince")
    zebra = User("zebra", tuple(replace(people[0].history[0], output=text) for text in said))
    cached.personalize(users=[zebra, *people[1:3]])
    mine, theirs = ({s.text for s in p.statements} for p in cached.summarise([zebra, people[1]]))
    others = {s.text for p in cached.summarise(people[1:3]) for s in p.statements}
    assert any("zebra" in text for text in mine) and mine & others

    def stored() -> set[str]:
        encoder = cached.bench.encoder
        assert isinstance(encoder, CachedEncoder)
        return {text for text in mine | theirs | others if encoder._read([encoder._key(text)])}

    known = set(cached.meta.facets)
    used = {s.text for p in cached.summarise([zebra, *people[1:3]]) for s in p.statements if s.facet in known}
    assert stored() == used
    assert cached.forget("zebra") == len(used - others) > 0
    assert stored() == used & others and cached.forget("zebra") == 0
    cached.personalize(zebra.history)
    assert cached.forget("user") == len(used - others) and stored() == used & others
    with pytest.raises(ValueError, match="no cache"):
        Tailor.from_pretrained(tiny_run / "checkpoint").forget("zebra")


def test_forgetting_a_user_reaches_what_an_endpoint_said(
    tiny_run: Path, people: list[User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Endpoint, "_reply", lambda endpoint, prompt: prompt)
    one = Tailor.from_pretrained(tiny_run / "checkpoint", cache=tmp_path / "vectors")
    settings = ProfileSettings(kind="llm", endpoint=Settings("http://localhost/v1", "m", cache=str(tmp_path / "said")))
    one.profilers = make(settings, Known())
    said = one.summarise(people[:2])
    one.bench.encoder([said[0].text])  # of nobody: it stays
    claim(one.bench.encoder, [(people[1].id, said[1].text)])
    one.bench.encoder([said[1].text])
    assert one.forget(people[1].id) == 2 and one.forget(people[1].id) == 0
    assert replies.forget_user(tmp_path / "said", people[0].id) == 1


def test_generation_of_one_and_of_many(tailor: Tailor, people: list[User]) -> None:
    both = tailor.personalize(users=people[:2])
    strong = both.strength(1.5)
    one = tailor.generate("hello", strong[0], max_new_tokens=6)
    assert isinstance(one, str)
    said = tailor.generate(["hello", [{"role": "user", "content": "hello"}]], strong, max_new_tokens=6)
    assert isinstance(said, list) and said[0] == one and len(said) == 2
    assert tailor.generate(["hello"] * 3, strong["u0"], max_new_tokens=6) == [one] * 3
    assert tailor.generate("hello", users=people[0], max_new_tokens=6) == tailor.generate(
        "hello", both[0], max_new_tokens=6
    )
    with pytest.raises(ValueError, match="2 users' adapters for 3 messages: expected 1, or one for each"):
        tailor.generate(["a", "b", "c"], both)
    with pytest.raises(ValueError, match="adapter= or users=, not both"):
        tailor.generate("a", both, users=people[:2])


def test_strength_zero_is_the_base_and_sampling_is_seeded(tailor: Tailor, people: list[User]) -> None:
    none = tailor.personalize(users=people[0], strength=0.0)
    assert tailor.generate("hello", none, max_new_tokens=8) == tailor.generate("hello", max_new_tokens=8)
    drawn = [tailor.generate("hello", max_new_tokens=8, temperature=2.0, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(ValueError, match="strength 1.6 is outside 0 to 1.5"):
        none.strength(1.6)


def test_exports_load_with_peft_and_say_the_same(
    tailor: Tailor, people: list[User], tiny_base: Path, tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    odd = replace(people[1], id="../a b/ü")
    made = tailor.personalize(users=[people[0], odd]).strength(1.5)
    folders = made.save_pretrained(tmp_path / "out")
    assert [folder.parent for folder in folders] == [tmp_path / "out"] * 2 and folders[0].name == "u0"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f.name for f in folders)
    assert json.loads((folders[0] / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny_base)
    ids = torch.tensor([[1, 2, 3, 4]])
    for place, folder in enumerate(folders):
        model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
        with torch.no_grad():
            plain = model(ids).logits
            theirs = peft.PeftModel.from_pretrained(model, folder).eval()(ids).logits
            with tailor.source.injector(made.adapters, torch.tensor([place])):
                ours = tailor.bench.backbone.model(ids).logits
        assert (ours - theirs).abs().max() < 1e-5 < (ours - plain).abs().max()


def test_nothing_that_is_not_finite_leaves(tailor: Tailor, people: list[User], tmp_path: Path) -> None:
    made = tailor.personalize(users=people[0])
    tensors = {name: tensor * float("nan") for name, tensor in made.adapters.tensors.items()}
    bad = replace(made, adapters=type(made.adapters)(made.adapters.space, tensors))
    with pytest.raises(BadAdapters):
        bad.save_pretrained(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_task_is_that_of_a_history_whose_items_name_none(tailor: Tailor, people: list[User]) -> None:
    pairs = [(item.input, item.output) for item in people[0].history if item.task == "headline"]
    said = [{"input": one, "output": two, "task": "headline"} for one, two in pairs]
    from_pairs = tailor.personalize(history=pairs, task="headline")
    from_objects = tailor.personalize(history=said, task="movie_tagging")  # an item's own task stands
    assert not from_pairs.notes and from_pairs.profiles == from_objects.profiles
    assert tailor.personalize(history=pairs).profiles != from_pairs.profiles


@pytest.mark.parametrize(
    ("device", "said"), [("gpu", "expected auto, cpu, cuda"), ("cuda:99", "torch finds . CUDA devices here")]
)
def test_a_device_that_is_not_there(tiny_run: Path, device: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"device '?{device}'?: {said}"):
        Tailor.from_pretrained(tiny_run / "checkpoint", device=device)


def test_odd_users_are_noted_and_stop_nobody(tailor: Tailor, people: list[User]) -> None:
    empty = User("empty", ())
    other = User("other", (Interaction("secret words", "42", task="unheard of"),))
    mixed = replace(people[0], id="mixed", history=people[0].history + other.history)
    made = tailor.personalize(users=[people[0], empty, other, mixed])
    assert len(made) == 4 and set(made.notes) == {"empty", "other", "mixed"}
    assert "the history is empty" in made.notes["empty"] and "neutral adapter" in made.notes["other"]
    assert "left out" in made.notes["mixed"] and "secret" not in "".join(made.notes.values())
    assert "mixed" in made["mixed"].notes and not made["u0"].notes
    again = tailor.personalize(users=people[0])
    for name, tensor in again.adapters.tensors.items():
        torch.testing.assert_close(tensor[0], made.adapters.tensors[name][0], atol=1e-6, rtol=0)


def test_a_profile_given_as_text_or_statements(tailor: Tailor, people: list[User]) -> None:
    [profile] = tailor.summarise(people[:1])
    text = "\n".join(f"{one.facet} = {one.text}" for one in profile.statements)
    from_history, from_profile = tailor.personalize(users=people[0]), tailor.personalize(profile=profile)
    from_text = tailor.personalize(profile=f"\n{text}\n")
    for name, tensor in from_history.adapters.tensors.items():
        assert torch.equal(tensor, from_profile.adapters.tensors[name])
        assert torch.equal(tensor, from_text.adapters.tensors[name])
    with pytest.raises(ValueError, match="line 2: expected .* one of the network's") as error:
        tailor.personalize(profile=f"{text.splitlines()[0]}\nmy secret")
    assert "secret" not in str(error.value)
    with pytest.raises(ValueError, match="the profile text is empty"):
        tailor.personalize(profile=" \n ")
    with pytest.raises(BadCheckpoint, match="template: expected 'statistical-.', found 'other'"):
        tailor.personalize(profile=Profile("u", None, (Statement("history", "x"),), "other"))


def test_what_personalize_refuses(tailor: Tailor, people: list[User]) -> None:
    for given in ({}, {"history": HISTORY, "users": people}):
        with pytest.raises(ValueError, match="exactly one of history=, profile= and users="):
            tailor.personalize(**given)
    with pytest.raises(ValueError, match="user 'u0' is given twice"):
        tailor.personalize(users=[people[0], people[0]])
    with pytest.raises(ValueError, match="no users to personalise"):
        tailor.personalize(users=[])
    with pytest.raises(ValueError, match="one adapter for all tasks"):
        tailor.personalize(users=people, task="headline")
    with pytest.raises(KeyError, match="no adapter of user 'nobody'; there are 1"):
        tailor.personalize(history=HISTORY)["nobody"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (7, r"history\[1\] is int: expected an Interaction"),
        ({"input": "secret"}, r"history\[1\]\.output: missing|history\[1\]\.output"),
        (("secret", 3), r"history\[1\]\.output: expected text, found a number"),
        (("a\0secret", "b"), r"history\[1\]\.input: has a NUL character"),
    ],
)
def test_a_history_that_is_none_says_where(tailor: Tailor, item: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        tailor.personalize(history=[HISTORY[0], item])  # type: ignore[list-item]
    assert "secret" not in str(error.value)


def test_keys_that_no_item_has_are_refused(tailor: Tailor) -> None:
    with pytest.raises(ValueError, match=r"history\[0\] has the key 'reply'; there are: input, output, task, time"):
        tailor.personalize(history=[{"input": "secret", "output": "x", "reply": "y"}])
    with pytest.raises(TypeError, match="history is str: expected a list"):
        tailor.personalize(history="secret")


@pytest.mark.parametrize(
    ("messages", "options", "kind", "said"),
    [
        ("x", {"temperature": float("nan")}, ValueError, "temperature is nan: expected 0 .greedy. or more"),
        ("x", {"temperature": -1}, ValueError, "temperature is -1"),
        ("x", {"temperature": "hot"}, TypeError, "temperature is str"),
        ("x", {"max_new_tokens": 2.5}, TypeError, "max_new_tokens is float: expected a whole number"),
        ("x", {"max_new_tokens": 0}, ValueError, "max_new_tokens 0 must be 1 to"),
        ("x", {"users": "ann"}, TypeError, "users is str: expected a User or a list"),
        ("x", {"users": ["ann"]}, TypeError, r"users\[0\] is str: expected a User"),
        (5, {}, TypeError, "messages is int: expected a text"),
        ([5], {}, TypeError, r"messages\[0\] is int: expected a text"),
        ({"role": "user", "content": "secret"}, {}, TypeError, "messages is dict"),
        ([[]], {}, ValueError, r"messages\[0\] is an empty conversation"),
        (
            [{"role": "usr", "content": "secret"}],
            {},
            ValueError,
            r"messages\[0\]\.role is 'usr': expected one of",
        ),
        ([{"role": "user"}], {}, ValueError, r"messages\[0\] has no content"),
        (["x", [{"content": "secret"}]], {}, ValueError, r"messages\[1\]\[0\] has no role"),
        ([{"role": "user", "content": 5}], {}, ValueError, r"messages\[0\]\.content: expected text, found a number"),
        ("secret\udcff", {}, ValueError, "messages: has a lone surrogate"),
        ([{"role": "user", "content": "x"}, "secret"], {}, TypeError, r"messages\[1\] is str"),
    ],
)
def test_what_generate_refuses(tailor: Tailor, messages: object, options: dict, kind: type, said: str) -> None:
    with pytest.raises(kind, match=said) as error:
        tailor.generate(messages, **options)  # type: ignore[arg-type]
    assert "secret" not in str(error.value)


def test_another_base_is_refused_and_a_copy_is_not(
    tiny_run: Path, tiny_base: Path, other_base: Path, tmp_path: Path
) -> None:
    checkpoint = tiny_run / "checkpoint"
    copy = shutil.copytree(tiny_base, tmp_path / "copy")
    tailor = Tailor.from_pretrained(checkpoint, base=copy)
    made = tailor.personalize(history=HISTORY)
    assert isinstance(made, Personal) and made.base_id == str(copy)
    with pytest.raises(BadCheckpoint, match="with weights of fingerprint"):
        Tailor.from_pretrained(checkpoint, base=other_base)
    with pytest.raises(ValueError, match="no such folder"):
        Tailor.from_pretrained(checkpoint, base=tmp_path / "nothing")


def test_another_encoder_and_a_broken_use_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    net, meta = from_pretrained(tiny_run / "checkpoint")
    recipe = dict(meta.recipe)
    for changes, said in [
        ({"encoder": {"kind": "base", "pooling": "last"}}, "encoder_id: expected .*mean.*, found .*last"),
        ({"encoder": {"kind": "bose"}}, "use.encoder.kind: expected one of 'sentence', 'base', found 'bose'"),
        ({"sends": "data"}, "recipe.use.sends: no such setting"),
    ]:
        use = {**recipe["use"], **changes}
        save_pretrained(tmp_path, net, replace(meta, recipe={**recipe, "use": use}))
        with pytest.raises(BadCheckpoint, match=said):
            Tailor.from_pretrained(tmp_path)


def test_saving_again_loads_the_same(tailor: Tailor, people: list[User], tmp_path: Path) -> None:
    tailor.save_pretrained(tmp_path)
    again = Tailor.from_pretrained(tmp_path, cache=tmp_path / "vectors")
    assert again.meta == tailor.meta
    first, second = tailor.personalize(users=people), again.personalize(users=people)
    for name, tensor in first.adapters.tensors.items():
        assert torch.equal(tensor, second.adapters.tensors[name])


def test_an_adapter_for_each_task(tiny_recipe: Path, people: list[User], tmp_path: Path) -> None:
    tailor = Tailor.train(tiny_recipe, tmp_path / "run", overrides=['methods.p2p.cuts.scope="task"'])
    assert tailor.use.scope == "task" and tailor.use.tasks == ("headline", "movie_tagging")
    made = tailor.personalize(users=people[:2], task="headline")
    assert not made.notes and all("movie" not in one.facet for one in made.profiles[0].statements)
    with pytest.raises(ValueError, match="an adapter for each task: give task= .headline, movie_tagging."):
        tailor.personalize(users=people[:2])


@pytest.mark.parametrize("pool", ["single", "attention"])
def test_networks_without_slots_read_free_text(tiny_recipe: Path, tmp_path: Path, pool: str) -> None:
    net = [f"methods.p2p.net.pool={pool}", "methods.p2p.net.head=L"]
    changes = [*net, 'start="base"', "encoder.on_long=truncate"]
    tailor = Tailor.train(tiny_recipe, tmp_path / "run", overrides=changes)
    free = tailor.personalize(profile="likes rain\n\nwrites in capitals")
    assert [one.text for one in free.profiles[0].statements] == ["likes rain", "writes in capitals"]
    assert not tailor.personalize(users=[User("x", (Interaction("a", "b", task="unheard"),))]).notes
    cut = json.loads((tmp_path / "run" / "run.json").read_text())["texts_cut_by_the_encoder"]
    assert (cut > 0) == (pool == "single")  # one text of all statements is over the tiny base's 512 positions


def test_texts_over_the_encoders_limit_stop_training(tiny_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reads at most 512"):
        Tailor.train(tiny_recipe, tmp_path / "run", overrides=["methods.p2p.net.pool=single", "methods.p2p.net.head=L"])


def test_train_takes_tables_too(tiny_recipe: Path, tmp_path: Path) -> None:
    import tomllib

    table = tomllib.loads(tiny_recipe.read_text())
    tailor = Tailor.train(table, tmp_path / "run")
    assert (tmp_path / "run" / "recipe.toml").exists() and tailor.meta.recipe["seed"] == 3
