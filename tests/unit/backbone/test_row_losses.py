"""Losses: the completion only, a mean per row, logits only at labels, and the same with recomputation."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.loss import label_logits, row_log_probs, row_losses
from tailorlm.backbone.rows import Row, collate


def batch_of(setup, rows=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    made = []
    for i in range(rows):
        length = 6 + 3 * i
        made.append(Row(str(i), torch.randint(0, 256, (length,), generator=g).tolist(), 2 + i))
    return collate(made, setup.backbone.pad_id, [i % 3 for i in range(rows)])


def by_hand(setup, batch, smoothing=0.0):
    with torch.no_grad():
        logits = setup.backbone.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    losses = []
    for i in range(len(batch.ids)):
        at = (batch.labels[i, 1:] != -100).nonzero()[:, 0]
        losses.append(cross_entropy(logits[i, at], batch.labels[i, at + 1], label_smoothing=smoothing))
    return torch.stack(losses)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_equal_full_logits_by_hand(family, smoothing):
    batch = batch_of(family)
    torch.testing.assert_close(row_losses(family.backbone, batch, smoothing), by_hand(family, batch, smoothing))


@pytest.mark.parametrize(
    ("family_name", "changes"),
    [
        ("Gemma2", {"final_logit_softcapping": 1.0}),
        ("Granite", {"logits_scaling": 7.0}),
        ("Cohere", {"logit_scale": 0.3}),
    ],
)
def test_what_a_model_does_to_its_logits_is_done(make, family_name, changes):
    changes = {**changes, "eos_token_id": 257, "bos_token_id": 258} if family_name == "Cohere" else changes
    setup = make["setup"](family_name, **changes)
    batch = batch_of(setup)
    torch.testing.assert_close(row_losses(setup.backbone, batch), by_hand(setup, batch))


def test_logits_are_computed_at_labels_only(setup):
    batch = batch_of(setup)
    labels = int((batch.labels != -100).sum())
    assert label_logits(setup.backbone, batch).shape == (labels, 270)
    assert "forward" not in vars(setup.backbone.model.lm_head)


def test_rows_do_not_see_each_other(setup):
    batch = batch_of(setup)
    together = row_losses(setup.backbone, batch)
    for i in range(3):
        length = 6 + 3 * i
        row = Row("x", batch.input_ids[i, :length].tolist(), 2 + i)
        alone = row_losses(setup.backbone, collate([row], 0, [-1]))
        torch.testing.assert_close(alone[0], together[i])


def test_the_prompt_is_not_in_the_loss_but_is_read(setup):
    long = Row("x", [5, 6, 7, 8, 9], 3)
    labels = collate([long], 0, [-1]).labels
    assert (labels != -100).sum() == 2
    other = Row("x", [1, 6, 7, 8, 9], 3)
    a, b = (row_losses(setup.backbone, collate([row], 0, [-1])) for row in (long, other))
    assert not torch.equal(a, b)


def test_log_probs_are_the_sum(setup):
    batch = batch_of(setup)
    counts = (batch.labels != -100).sum(1)
    torch.testing.assert_close(row_log_probs(setup.backbone, batch), -by_hand(setup, batch) * counts)


def test_neftune_is_bounded_by_the_rows_own_length_and_seeded(setup, monkeypatch):
    batch = batch_of(setup)
    seen = {}
    forward = setup.backbone.model.model.forward

    def spy(*args, **kwargs):
        seen["embeds"] = kwargs["inputs_embeds"]
        return forward(*args, **kwargs)

    monkeypatch.setattr(setup.backbone.model.model, "forward", spy)
    plain = setup.backbone.model.get_input_embeddings()(batch.input_ids)
    first = row_losses(setup.backbone, batch, neftune=5.0, generator=torch.Generator().manual_seed(0))
    noise = (seen["embeds"] - plain).abs().amax((1, 2))
    for i, length in enumerate((6, 9, 12)):
        bound = 5.0 / (length * 32) ** 0.5
        assert 0.9 * bound < noise[i] <= bound * 1.0001
    again = row_losses(setup.backbone, batch, neftune=5.0, generator=torch.Generator().manual_seed(0))
    other = row_losses(setup.backbone, batch, neftune=5.0, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def gradients(setup, batch, checkpointing, dropout=0.0):
    setup.backbone.checkpointing = checkpointing
    torch.manual_seed(3)
    tensors = {k: t.clone().requires_grad_() for k, t in setup.adapters.tensors.items()}
    with setup.injector(Adapters(setup.space, tensors), batch.index, dropout):
        losses = row_losses(setup.backbone, batch)
        losses.mean().backward()
    return losses.detach(), {k: t.grad for k, t in tensors.items()}


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_checkpointing_changes_no_loss_and_no_gradient(family, dropout):
    batch = batch_of(family)
    calls = []
    layer = family.backbone.model.model.layers[0].self_attn
    layer.register_forward_hook(lambda *_: calls.append(1))
    loss, grads = gradients(family, batch, False, dropout)
    assert len(calls) == 1
    recomputed, again = gradients(family, batch, True, dropout)
    assert len(calls) == 3  # forward, and once more in backward
    torch.testing.assert_close(recomputed, loss)
    for name in grads:
        assert grads[name].abs().max() > 0
        torch.testing.assert_close(again[name], grads[name])
    assert not any(m.training for m in family.backbone.model.modules())


def test_checkpointing_survives_neftune_and_is_off_without_gradients(setup):
    setup.backbone.checkpointing = True
    batch = batch_of(setup)
    with torch.no_grad():
        torch.testing.assert_close(row_losses(setup.backbone, batch), by_hand(setup, batch))
    tensors = {k: t.clone().requires_grad_() for k, t in setup.adapters.tensors.items()}
    with setup.injector(Adapters(setup.space, tensors), batch.index):
        row_losses(setup.backbone, batch, neftune=5.0).mean().backward()
    assert all(t.grad.abs().max() > 0 for t in tensors.values())


def test_backward_after_the_adapters_are_gone_is_an_error_not_a_wrong_gradient(setup):
    setup.backbone.checkpointing = True
    batch = batch_of(setup)
    tensors = {k: t.clone().requires_grad_() for k, t in setup.adapters.tensors.items()}
    with setup.injector(Adapters(setup.space, tensors), batch.index):
        loss = row_losses(setup.backbone, batch).mean()
    with pytest.raises(torch.utils.checkpoint.CheckpointError):
        loss.backward()


def test_models_that_cannot_checkpoint_say_so(setup, monkeypatch):
    from tailorlm.backbone.checkpointing import checkpointed

    with pytest.raises(ValueError, match="Linear has no layers"), checkpointed(torch.nn.Linear(1, 1), True):
        pass


def test_a_head_that_is_not_called_is_refused(setup, monkeypatch):
    monkeypatch.setattr(setup.backbone.model, "get_output_embeddings", lambda: torch.nn.Linear(32, 270))
    with pytest.raises(ValueError, match="cannot be scored"):
        row_losses(setup.backbone, batch_of(setup))


def test_nested_scoring_is_an_error(setup):
    from tailorlm.backbone.patch import replaced_forward

    head = setup.backbone.model.lm_head
    with replaced_forward(head, head.forward), pytest.raises(RuntimeError, match="nested"):
        row_losses(setup.backbone, batch_of(setup))
