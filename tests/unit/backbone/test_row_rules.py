"""The rules of the numbers (design section 3): row i runs with adapter index[i], and with nothing else.

The adapters here move logits by far more than the tolerances, and a swapped row is shown to fail.
"""

import copy

import pytest
import torch
from peft import PeftModel

from tailorlm.adapters.batch import Adapters
from tailorlm.adapters.peft_files import load_peft, save_peft
from tailorlm.backbone.inject import Injector


def largest(difference):
    return difference.abs().max().item()


def test_a_batch_of_users_equals_separate_peft_runs(family, ids, tmp_path):
    base = family.logits(ids, None, [-1] * 3)
    ours = family.logits(ids, family.adapters, [0, 1, 2])
    swapped = family.logits(ids, family.adapters, [1, 0, 2])
    folders = [tmp_path / str(i) for i in range(3)]
    save_peft(family.adapters, folders, family.backbone.id, None, {})
    for i, folder in enumerate(folders):
        model = PeftModel.from_pretrained(copy.deepcopy(family.backbone.model), str(folder)).eval()
        with torch.no_grad():
            theirs = model(input_ids=ids[i : i + 1]).logits[0]
        assert largest(ours[i] - base[i]) > 0.1  # the adapter matters
        assert largest(ours[i] - theirs) < 1e-4
        assert i == 2 or largest(swapped[i] - theirs) > 0.1  # the wrong user's would be seen


def test_peft_files_come_back_with_equal_logits(family, ids, tmp_path):
    save_peft(family.adapters[1], [tmp_path / "a"], family.backbone.id, None, {})
    loaded = load_peft(tmp_path / "a", family.space.sites)
    assert torch.equal(family.logits(ids, loaded, [0] * 3), family.logits(ids, family.adapters, [1] * 3))


def test_a_peft_lora_with_a_scale_is_imported_with_equal_logits(setup, ids, tmp_path):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, lora_alpha=16, use_rslora=True, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(copy.deepcopy(setup.backbone.model), config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.2, generator=torch.Generator().manual_seed(0))
        theirs = model(input_ids=ids).logits
    model.save_pretrained(tmp_path / "theirs")
    loaded = load_peft(tmp_path / "theirs", setup.backbone.sites(["q_proj", "v_proj"]))
    with (
        torch.no_grad(),
        Injector(setup.backbone.model, loaded.space)(loaded, torch.zeros(3, dtype=torch.long)),
    ):
        ours = setup.backbone.model(input_ids=ids).logits
    assert largest(ours - setup.logits(ids, None, [-1] * 3)) > 0.1
    assert largest(ours - theirs) < 1e-4


def test_permuting_users_permutes_outputs(family, ids):
    plain = family.logits(ids, family.adapters, [0, 1, 2])
    order = torch.tensor([2, 0, 1])
    by_rows = family.logits(ids[order], family.adapters, [2, 0, 1])
    by_users = family.logits(ids[order], family.adapters[order], [0, 1, 2])
    assert torch.equal(by_rows, by_users)
    assert largest(by_rows - plain[order]) < 1e-5  # matrix kernels add up in an order that depends on the place
    assert largest(by_rows - family.logits(ids[order], family.adapters, [0, 1, 2])) > 0.1


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_changing_one_user_leaves_the_others_bit_identical(family, ids, changed):
    before = family.logits(ids, family.adapters, [0, 1, 2])
    tensors = {k: t.clone() for k, t in family.adapters.tensors.items()}
    for tensor in tensors.values():
        tensor[changed] *= -1.5
        tensor[changed] += 0.1
    after = family.logits(ids, Adapters(family.space, tensors), [0, 1, 2])
    for row in range(3):
        if row == changed:
            assert largest(after[row] - before[row]) > 0.1
        else:
            assert torch.equal(after[row], before[row])


def test_a_user_alone_equals_the_user_in_company(family, ids):
    company = family.logits(ids, family.adapters, [0, 1, 2])
    for i in range(3):
        alone = family.logits(ids[i : i + 1], family.adapters[i], [0])
        assert largest(alone[0] - company[i]) < 1e-5 * max(1.0, largest(company[i]))


def test_rows_of_the_base_equal_the_plain_model(family, ids):
    with torch.no_grad():
        plain = family.backbone.model(input_ids=ids).logits
    mixed = family.logits(ids, family.adapters, [-1, 1, -1])
    assert torch.equal(mixed[0], plain[0]) and torch.equal(mixed[2], plain[2])
    assert largest(mixed[1] - plain[1]) > 0.1
    assert torch.equal(family.logits(ids, family.adapters, [-1] * 3), plain)
    assert torch.equal(family.logits(ids, None, [-1] * 3), plain)


def test_zero_b_changes_nothing(family, ids):
    neutral = family.adapters.scaled(0.0)
    assert torch.equal(family.logits(ids, neutral, [0, 1, 2]), family.logits(ids, None, [-1] * 3))


def test_padding_does_not_reach_a_shorter_row(family, ids):
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    padded = family.logits(ids, family.adapters, [0, 1, 2], mask)
    alone = family.logits(ids[1:2, :7], family.adapters[1], [0])
    assert largest(padded[1, :7] - alone[0]) < 1e-4


def test_each_user_gets_the_gradient_of_its_own_rows(setup, ids):
    index = torch.tensor([2, 0, 2])
    tensors = {k: t.clone().requires_grad_() for k, t in setup.adapters.tensors.items()}
    with setup.injector(Adapters(setup.space, tensors), index):
        setup.backbone.model(input_ids=ids).logits.pow(2).mean((1, 2)).sum().backward()
    total = {k: torch.zeros_like(t) for k, t in tensors.items()}
    for row, user in enumerate(index.tolist()):
        own = {k: t.clone().requires_grad_() for k, t in setup.adapters[user].tensors.items()}
        with setup.injector(Adapters(setup.space, own), torch.tensor([0])):
            setup.backbone.model(input_ids=ids[row : row + 1]).logits.pow(2).mean().backward()
        for k, t in own.items():
            total[k][user] += t.grad[0]
    for k, t in tensors.items():
        assert t.grad[1].abs().max() == 0  # nobody's row
        assert t.grad[2].abs().max() > 0
        torch.testing.assert_close(t.grad, total[k], rtol=1e-4, atol=1e-6)


def test_base_rows_give_no_gradient(setup, ids):
    tensors = {k: t.clone().requires_grad_() for k, t in setup.adapters.tensors.items()}
    with setup.injector(Adapters(setup.space, tensors), torch.tensor([-1, 1, -1])):
        setup.backbone.model(input_ids=ids).logits.sum().backward()
    for t in tensors.values():
        assert t.grad[0].abs().max() == 0 and t.grad[1].abs().max() > 0
