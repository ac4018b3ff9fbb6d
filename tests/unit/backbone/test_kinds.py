"""What holds for every kind of adapter that is found: row i runs with adapter index[i], and with nothing else."""

import pytest
import torch
import transformers

from tailorlm import plugins
from tailorlm.adapters.batch import Adapters
from tailorlm.backbone.generate import generate, score
from tailorlm.backbone.inject import Injector
from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.model import Backbone
from tailorlm.backbone.prompt import Prompt
from tailorlm.backbone.rows import Row, collate

KINDS = plugins.names("adapters")
VIRTUAL = [kind for kind in KINDS if kind.endswith("_tuning")]
PROMPTS = [Prompt("tell me"), Prompt("a much longer question, of many words"), Prompt("so?"), Prompt("why not")]


class Kind:
    """A kind in a tiny model, and three adapters that matter."""

    def __init__(self, kind, backbone):
        self.backbone, self.plugin = backbone, plugins.find("adapters", kind)
        self.settings = self.plugin.Settings()
        self.space = self.plugin.space(self.settings, backbone.shape)
        self.injector = Injector(backbone.model, self.space)
        g = torch.Generator().manual_seed(5)
        start = self.plugin.fresh(self.space, self.settings, g, backbone.shape)
        raw = {k: t + 0.4 * torch.randn(3, *t.shape, generator=g) for k, t in start.items()}
        self.adapters = Adapters(self.space, self.plugin.effective(self.space, self.settings, raw))

    def logits(self, ids, index, adapters=None, mask=None):
        with torch.no_grad(), self.injector(adapters or self.adapters, torch.tensor(index)):
            return self.backbone.model(input_ids=ids, attention_mask=mask, use_cache=False).logits

    def batch(self, index=(0, 1, 2)):
        g = torch.Generator().manual_seed(0)
        rows = [Row(str(i), torch.randint(0, 256, (6 + 3 * i,), generator=g).tolist(), 2 + i) for i in range(3)]
        return collate(rows, self.backbone.pad_id, list(index))

    def losses(self, batch, tensors=None, checkpointing=False):
        self.backbone.checkpointing = checkpointing
        adapters = self.adapters if tensors is None else Adapters(self.space, tensors)
        with self.injector(adapters, batch.index):
            losses = row_losses(self.backbone, batch)
            if tensors is not None:
                losses.sum().backward()
        return losses.detach()

    def leaves(self):
        return {k: t.detach().clone().requires_grad_() for k, t in self.adapters.tensors.items()}


@pytest.fixture(params=KINDS)
def kind(request, make):
    return Kind(request.param, make["backbone"]("Qwen2"))


@pytest.fixture(params=[(k, f) for k in KINDS for f in ("Qwen3", "Llama", "Mistral", "Gemma", "Gemma2")], ids="-".join)
def anywhere(request, make):
    kind, family = request.param
    return Kind(kind, make["backbone"](family))


def largest(difference):
    return difference.abs().max().item()


def test_rows_run_with_their_own_adapter_in_every_family(anywhere, ids):
    company = anywhere.logits(ids, [2, -1, 0])
    with torch.no_grad():
        base = anywhere.backbone.model(input_ids=ids).logits
    assert largest(company[1] - base[1]) < 1e-5 * largest(base)
    swapped = anywhere.logits(ids, [0, -1, 2])
    for row, user in ((0, 2), (2, 0)):
        assert largest(company[row] - base[row]) > 0.1
        assert largest(swapped[row] - company[row]) > 0.1
        alone = anywhere.logits(ids[row : row + 1], [0], anywhere.adapters[user])
        assert largest(alone[0] - company[row]) < 1e-5 * max(1.0, largest(company))


def test_changing_one_user_leaves_the_others_bit_identical(kind, ids):
    before = kind.logits(ids, [0, 1, -1])
    tensors = {k: t.clone() for k, t in kind.adapters.tensors.items()}
    for tensor in tensors.values():
        tensor[1] = 0.2 - tensor[1]
    after = kind.logits(ids, [0, 1, -1], Adapters(kind.space, tensors))
    assert torch.equal(after[0], before[0]) and torch.equal(after[2], before[2])
    assert largest(after[1] - before[1]) > 0.1


def test_a_users_nan_reaches_no_row_of_the_base(kind, ids):
    expected = kind.logits(ids, [-1, 1, -1])
    for tensor in kind.adapters.tensors.values():
        tensor[0] = float("nan")
    assert torch.equal(kind.logits(ids, [-1, 1, -1]), expected)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_moves_nothing(kind, ids, side):
    mask = torch.ones_like(ids)
    own = slice(4, None) if side == "left" else slice(0, 7)
    mask[1] = 0
    mask[1, own] = 1
    with torch.no_grad(), kind.injector(kind.adapters, torch.tensor([0, 1, -1])):
        places = (mask.cumsum(1) - 1).clamp_min(0)
        padded = kind.backbone.model(input_ids=ids, attention_mask=mask, position_ids=places).logits
    alone = kind.logits(ids[1:2, own], [0], kind.adapters[1])
    assert largest(padded[1, own] - alone[0]) < 1e-4
    with torch.no_grad():
        assert largest(padded[2] - kind.backbone.model(input_ids=ids[2:]).logits[0]) < 1e-4


def test_a_cache_that_grows_gives_the_same_logits(kind, ids):
    index = [2, -1, 0]
    whole = kind.logits(ids, index)
    with torch.no_grad(), kind.injector(kind.adapters, torch.tensor(index)):
        out = kind.backbone.model(input_ids=ids[:, :6], use_cache=True)
        for t in range(6, 11):
            cache = out.past_key_values
            out = kind.backbone.model(input_ids=ids[:, t : t + 1], past_key_values=cache, use_cache=True)
            assert largest(out.logits[:, 0] - whole[:, t]) < 1e-4
    assert cache.get_seq_length() == 11 + kind.space.virtual_tokens


def test_texts_of_a_batch_are_those_of_each_alone(kind):
    places = [0, 1, -1, 2]
    company = generate(kind.backbone, kind.injector, PROMPTS, kind.adapters, places, 8)
    base = generate(kind.backbone, kind.injector, PROMPTS, None, [-1] * 4, 8)
    swapped = generate(kind.backbone, kind.injector, PROMPTS, kind.adapters, [1, 0, -1, 2], 8)
    for i, place in enumerate(places):
        alone = generate(kind.backbone, kind.injector, PROMPTS[i : i + 1], kind.adapters, [place], 8)
        assert alone == [company[i]]
    assert company[2] == base[2]
    assert company[0] != base[0] and company[:2] != swapped[:2]


def test_scores_equal_losses_and_each_row_alone(kind):
    answers = ["yes", "certainly not", "well", "no"]
    company = score(kind.backbone, kind.injector, PROMPTS, answers, kind.adapters, [0, 1, -1, 2])
    for i, place in enumerate([0, 1, -1, 2]):
        alone = score(kind.backbone, kind.injector, PROMPTS[i : i + 1], answers[i : i + 1], kind.adapters, [place])
        assert largest(alone - company[i]) < 1e-3
    base = score(kind.backbone, kind.injector, PROMPTS, answers, None, [-1] * 4)
    assert largest(base[2] - company[2]) < 1e-4 and largest(base[0] - company[0]) > 0.01


def test_each_user_gets_the_gradient_of_its_own_rows(kind):
    tensors = kind.leaves()
    kind.losses(kind.batch([2, -1, 2]), tensors)
    for t in tensors.values():
        assert t.grad[0].abs().max() == 0 and t.grad[1].abs().max() == 0
        assert t.grad[2].abs().max() > 0


def test_recomputed_layers_change_no_loss_and_no_gradient(kind):
    plain, again = kind.leaves(), kind.leaves()
    first = kind.losses(kind.batch(), plain)
    torch.testing.assert_close(kind.losses(kind.batch(), again, checkpointing=True), first)
    for name, t in plain.items():
        assert t.grad.abs().max() > 0
        torch.testing.assert_close(again[name].grad, t.grad, rtol=1e-4, atol=1e-6)


def test_a_fresh_adapter_is_the_base_where_the_kind_says_so(kind, ids):
    start = {k: t[None] for k, t in kind.space.start(torch.Generator().manual_seed(0)).items()}
    with torch.no_grad():
        base = kind.backbone.model(input_ids=ids).logits
    changed = largest(kind.logits(ids, [0, 0, 0], Adapters(kind.space, start)) - base)
    assert changed == 0 if kind.space.neutral_start else changed > 0.1


def test_strength_is_a_line_from_the_base_or_refused(kind, ids):
    if kind.space.virtual_tokens:
        with pytest.raises(ValueError, match="no half of them"):
            kind.adapters.scaled(0.5)
        assert torch.equal(kind.logits(ids, [0, 1, 2], kind.adapters.scaled(1.0)), kind.logits(ids, [0, 1, 2]))
        return
    with torch.no_grad():
        base = kind.backbone.model(input_ids=ids).logits
    assert largest(kind.logits(ids, [0, 1, 2], kind.adapters.scaled(0.0)) - base) < 1e-5
    whole = largest(kind.logits(ids, [0, 1, 2]) - base)
    assert 0 < largest(kind.logits(ids, [0, 1, 2], kind.adapters.scaled(0.001)) - base) < 0.5 * whole


def test_nothing_is_left_behind(kind, ids):
    with kind.injector(kind.adapters, torch.tensor([0, 1, 2])):
        pass
    assert not any("forward" in vars(m) or any("tailorlm" in k for k in vars(m)) for m in kind.backbone.model.modules())


@pytest.mark.parametrize("name", VIRTUAL)
def test_virtual_tokens_refuse_what_they_cannot_join(name, make, ids):
    kind = Kind(name, make["backbone"]())
    model = kind.backbone.model
    with torch.no_grad():
        filled = model(input_ids=ids, use_cache=True).past_key_values
    with torch.no_grad(), kind.injector(kind.adapters, torch.tensor([0, 1, 2])):
        with pytest.raises(ValueError, match="filled without the virtual tokens"):
            model(input_ids=ids[:, :1], past_key_values=filled)
        with pytest.raises(ValueError, match="set for 3 rows"):
            model(input_ids=ids[:2])
        with pytest.raises(ValueError, match=r"must be \(3, 11\)"):
            model(input_ids=ids, attention_mask=torch.ones(3, 1, 11, 11))
    with kind.injector(kind.adapters, torch.tensor([0, 1, 2])), pytest.raises(RuntimeError, match="another injector"):
        Injector(model, kind.space).set(kind.adapters, torch.tensor([0]))


@pytest.mark.parametrize("name", VIRTUAL)
def test_rows_of_one_user_and_autocast_and_half_precision(name, make, ids):
    kind = Kind(name, make["backbone"]())
    exact = kind.logits(ids, [0, 1, -1])
    with torch.autocast("cpu", torch.bfloat16):
        half = kind.logits(ids, [0, 1, -1])
    assert (half.float() - exact).abs().mean() < 0.1 * exact.abs().mean()


@pytest.mark.parametrize("name", VIRTUAL)
def test_a_window_shorter_than_the_text_is_kept(name, make):
    """Sliding layers count virtual tokens as the first positions: cached and whole runs agree."""
    kind = Kind(name, make["backbone"]("Mistral", sliding_window=8))
    ids = torch.randint(0, 256, (3, 30), generator=torch.Generator().manual_seed(2))
    whole = kind.logits(ids, [0, 1, -1])
    with torch.no_grad(), kind.injector(kind.adapters, torch.tensor([0, 1, -1])):
        out = kind.backbone.model(input_ids=ids[:, :20], use_cache=True)
        for t in range(20, 30):
            out = kind.backbone.model(input_ids=ids[:, t : t + 1], past_key_values=out.past_key_values, use_cache=True)
            assert largest(out.logits[:, 0] - whole[:, t]) < 1e-4
    with torch.no_grad():
        assert largest(whole[2] - kind.backbone.model(input_ids=ids[2:]).logits[0]) < 1e-4


def test_a_start_from_the_vocabulary_is_words_of_the_model(make):
    backbone = make["backbone"]("Gemma")
    plugin = plugins.find("adapters", "prompt_tuning")
    settings = plugin.Settings(tokens=5, start="vocabulary")
    space = plugin.space(settings, backbone.shape)
    prompt = plugin.fresh(space, settings, torch.Generator().manual_seed(0), backbone.shape)["prompt"]
    words = backbone.model.get_input_embeddings()(torch.arange(270))
    assert all(largest((words - row).abs().amax(1).min()) < 1e-6 for row in prompt)
    assert prompt.std() > 0.1
    with pytest.raises(ValueError, match="'random' or 'vocabulary'"):
        plugin.fresh(space, plugin.Settings(start="text"), torch.Generator(), backbone.shape)


def test_sizes_and_names_that_cannot_be_are_refused(make):
    shape = make["backbone"]().shape
    for name in VIRTUAL:
        plugin = plugins.find("adapters", name)
        with pytest.raises(ValueError, match="tokens 0 must be at least 1"):
            plugin.space(plugin.Settings(tokens=0), shape)
    ia3 = plugins.find("adapters", "ia3")
    with pytest.raises(ValueError, match=r"\['up_proj'\] are not among the targets"):
        ia3.space(ia3.Settings(feedforward=("up_proj",)), shape)


@pytest.mark.parametrize("name", VIRTUAL)
def test_prompts_leave_room_for_virtual_tokens(name, make):
    kind = Kind(name, make["backbone"](max_position_embeddings=100))
    long = [Prompt("a word of many " * 9)]
    seen = []
    kind.backbone.model.model.register_forward_pre_hook(lambda _, a, k: seen.append(k), with_kwargs=True)
    generate(kind.backbone, kind.injector, long, kind.adapters, [0], 2)
    assert seen[0]["input_ids"].shape[1] == 100 - 2 - 20
    with pytest.raises(ValueError, match="1 to 79 for .* 20 virtual tokens"):
        generate(kind.backbone, kind.injector, long, kind.adapters, [0], 80)
    score(kind.backbone, kind.injector, long, ["x"], kind.adapters, [0])
    assert seen[-1]["input_ids"].shape[1] == 100 - 20


def test_layers_without_keys_of_their_own_are_refused(make):
    config = transformers.Gemma3nTextConfig(
        vocab_size=270, hidden_size=16, intermediate_size=[24] * 4, num_hidden_layers=4, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, num_kv_shared_layers=2, hidden_size_per_layer_input=8, laurel_rank=4,
        vocab_size_per_layer_input=270, activation_sparsity_pattern=[0.0] * 4, pad_token_id=256,
    )  # fmt: skip
    backbone = Backbone(transformers.Gemma3nForCausalLM(config), None, "tiny-shared")
    for name in VIRTUAL:
        kind = Kind(name, backbone)
        with pytest.raises(ValueError, match=r"attention in every layer; Gemma3nTextModel has \['DummyLayer'\]"):
            kind.injector.set(kind.adapters, torch.tensor([0]))


def test_heads_that_differ_by_layer_have_no_one_shape(make):
    backbone = make["backbone"]()
    assert (backbone.shape.kv_heads, backbone.shape.head_dim) == (2, 8)
    backbone.model.model.layers[1].self_attn.k_proj = torch.nn.Linear(32, 24)
    assert backbone.shape.kv_heads == 0
    del backbone.model.config.__dict__["num_attention_heads"]
    assert backbone.shape.kv_heads == 0
