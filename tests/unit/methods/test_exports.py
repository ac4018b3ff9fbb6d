"""Rosters as PEFT folders: each owner's own, private; what has no form says why."""

from dataclasses import replace

import pytest
import torch

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_files import load_peft, save_peft
from tailorlm.adapters.stack import stack, stacked
from tailorlm.methods import none
from tailorlm.methods.exports import export
from tailorlm.methods.lora import LoraSettings
from tailorlm.methods.peft import PeftSettings
from tailorlm.methods.source import Roster

LORA = LoraSettings(rank=2)


def adapters(bench, users):
    space = LORA.space(bench.backbone)
    return Adapters(space, {name: torch.randn(users, *shape) for name, shape in space.shapes().items()})


def test_each_owner_has_the_own_adapter_in_a_private_folder(bench, tmp_path):
    made = adapters(bench, 3)
    roster = Roster(made, {("b/../c", None): 2, ("a", None): 0})
    folders = export(roster, tmp_path / "kept", bench.backbone, {"method": "x"})
    for folder, place in zip(folders, (2, 0), strict=True):
        back = load_peft(folder, made.space.sites)
        assert all(torch.equal(t[0], made.tensors[name][place]) for name, t in back.tensors.items())
        assert folder.parent == tmp_path / "kept" and folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700


def test_an_adapter_a_task_has_a_folder_inside_the_users(bench, tmp_path):
    made = adapters(bench, 2)
    folders = export(Roster(made, {("a", "tweet"): 1, ("a", "headline"): 0}), tmp_path / "kept", bench.backbone, {})
    assert folders == [tmp_path / "kept" / "a" / "tweet", tmp_path / "kept" / "a" / "headline"]
    back = load_peft(folders[0], made.space.sites)
    assert all(torch.equal(t[0], made.tensors[name][1]) for name, t in back.tensors.items())
    assert (tmp_path / "kept" / "a").stat().st_mode & 0o777 == 0o700


def test_what_has_no_form_says_why(bench, people, tmp_path):
    roster = none.Source(bench, none.Settings()).enrol(people[:2])
    with pytest.raises(ValueError, match="the base model answers: there is no adapter"):
        export(roster, tmp_path / "kept", bench.backbone, {})
    with pytest.raises(ValueError, match="there is no adapter to export"):
        save_peft(roster.adapters, [], bench.backbone.id, None, {})
    with pytest.raises(ValueError, match="no adapter here is a user's own"):
        export(Roster(adapters(bench, 1), {("a", None): 0}, shared=True), tmp_path / "kept", bench.backbone, {})
    queried = Roster(None, {}, histories={people[0].id: people[0].history})
    with pytest.raises(ValueError, match="made for each query"):
        export(queried, tmp_path / "kept", bench.backbone, {})
    ia3 = PeftSettings(kind="ia3", options={"targets": ["k_proj", "v_proj", "down_proj"]})
    over = ia3.effective(ia3.space(bench.backbone), ia3.fresh(bench.backbone, 1, 0))
    both = stacked(adapters(bench, 1), over)
    assert both.space == stack(LORA.space(bench.backbone), over.space)
    with pytest.raises(ValueError, match="stack|portable|form"):
        export(replace(queried, adapters=both, place={("a", None): 0}, histories={}), tmp_path, bench.backbone, {})
    assert not list(tmp_path.rglob("*.safetensors"))


def test_what_is_refused_leaves_no_folder_with_a_users_id(bench, tmp_path):
    ia3 = PeftSettings(kind="ia3", options={"targets": ["k_proj", "v_proj", "down_proj"]})
    over = ia3.effective(ia3.space(bench.backbone), ia3.fresh(bench.backbone, 2, 0))
    spoilt = adapters(bench, 2)
    spoilt.tensors["q_proj.A"][1, 0, 0, 0] = float("nan")
    place = {("a", "tweet"): 0, ("b", "tweet"): 1}
    for made, message in ((stacked(adapters(bench, 1), over), "PEFT has no form"), (spoilt, "NaN or Inf")):
        with pytest.raises(ValueError, match=message):
            export(Roster(made, place), tmp_path / "kept", bench.backbone, {})
    with pytest.raises(ValueError, match="must be a text"):
        export(Roster(adapters(bench, 2), place), tmp_path / "kept", bench.backbone, {"method": 1})
    assert not list(tmp_path.iterdir())
    (tmp_path / "kept" / "b" / "tweet").mkdir(parents=True)
    (tmp_path / "kept" / "b" / "tweet" / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not an adapter folder"):
        export(Roster(adapters(bench, 2), place), tmp_path / "kept", bench.backbone, {})
    assert not (tmp_path / "kept" / "a").exists()
