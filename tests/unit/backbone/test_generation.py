"""Generation and scoring: each row its own adapter, order kept, settings explicit, streams a prompt."""

import copy

import pytest
import torch

from tailorlm.adapters.peft_files import save_peft
from tailorlm.backbone import generate as module
from tailorlm.backbone.generate import generate, generated, score
from tailorlm.backbone.prompt import Prompt, encode_prompt, encode_row, end_of_turn
from tailorlm.backbone.rows import collate

PROMPTS = [
    Prompt("one"),
    Prompt("a much longer prompt than that"),
    Prompt("three"),
    Prompt("of middle length"),
]
INDEX = [2, 0, -1, 1]


def run(setup, prompts=PROMPTS, index=INDEX, new=12, adapters="ours", **options):
    adapters = setup.adapters if adapters == "ours" else adapters
    return generate(setup.backbone, setup.injector, prompts, adapters, index, new, **options)


def test_a_batch_equals_one_at_a_time(family):
    together = run(family)
    alone = [run(family, [p], [i])[0] for p, i in zip(PROMPTS, INDEX, strict=True)]
    assert together == alone
    assert len(set(run(family, [PROMPTS[0]] * 4))) >= 3  # the adapters speak differently


@pytest.mark.parametrize("size", [1, 2, 3])
def test_batches_change_nothing_and_keep_the_order(setup, size):
    assert run(setup, batch_size=size) == run(setup)
    order = [3, 1, 0, 2]
    permuted = run(setup, [PROMPTS[i] for i in order], [INDEX[i] for i in order], batch_size=size)
    assert permuted == [run(setup)[i] for i in order]


def test_greedy_equals_peft(setup, tmp_path):
    from peft import PeftModel

    save_peft(setup.adapters[1], [tmp_path / "a"], setup.backbone.id, None, {})
    model = PeftModel.from_pretrained(copy.deepcopy(setup.backbone.model), str(tmp_path / "a")).eval()
    tokenizer = setup.backbone.tokenizer
    ids = torch.tensor([encode_prompt(tokenizer, PROMPTS[1], 500)])
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=end_of_turn(tokenizer),
        pad_token_id=256,
    )
    assert run(setup, [PROMPTS[1]], [1]) == tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)


def test_what_a_completion_took_is_counted(setup):
    made = generated(setup.backbone, setup.injector, PROMPTS, setup.adapters, INDEX, 12, batch_size=3)
    assert [one.text for one in made] == run(setup)
    tokenizer = setup.backbone.tokenizer
    assert [one.prompt_tokens for one in made] == [len(encode_prompt(tokenizer, prompt, 500)) for prompt in PROMPTS]
    assert all(1 <= one.new_tokens <= 12 and one.seconds > 0 for one in made)
    end = end_of_turn(tokenizer)
    assert module._until_end([5, end, 256, 256], {end}) == 2 and module._until_end([5, 6], {end}) == 2


def test_no_adapters_is_the_base(setup):
    assert run(setup, adapters=None, index=[-1] * 4) == run(setup, index=[-1] * 4)


def test_seeded_samples_do_not_depend_on_batches(setup):
    sampled = run(setup, temperature=1.0, seed=7)
    assert run(setup, temperature=1.0, seed=7, batch_size=1) == sampled
    assert run(setup, temperature=1.0, seed=8) != sampled
    assert run(setup, temperature=1.0) != run(setup, temperature=1.0)
    assert len(set(run(setup, [PROMPTS[0]] * 4, [0] * 4, temperature=1.0, seed=7))) > 1


def test_sampling_leaves_the_global_stream_alone(setup):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    run(setup, temperature=1.0, seed=7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    logits = torch.tensor([1.0, 0.0, -1.0, 2.0])
    rows = 20_000
    sampler = module._Sampler([torch.Generator().manual_seed(0)], temperature)
    wide = torch.cat([sampler(None, logits[None]) for _ in range(rows)])
    shares = torch.bincount(wide.argmax(1), minlength=4) / rows
    assert (shares - torch.softmax(logits / temperature, 0)).abs().max() < 0.015


def test_it_stops_at_the_end_of_turn(setup):
    tokenizer = setup.backbone.tokenizer
    ids = torch.tensor([encode_prompt(tokenizer, PROMPTS[0], 500)])
    logits = setup.logits(ids, setup.adapters, [0])[0, -1]
    assert run(setup, [PROMPTS[0]], [0], new=20)[0]
    with torch.no_grad():  # the first token of row 0 now ends the turn
        head = setup.backbone.model.lm_head.weight
        head[end_of_turn(tokenizer)] = head[int(logits.argmax())] * 1.01
    texts = run(setup, [PROMPTS[0], PROMPTS[1]], [0, 1], new=20)
    assert texts[0] == "" and "<|" not in texts[1] and "<pad>" not in texts[1]


def test_the_models_own_settings_do_not_leak_in_and_come_back(setup):
    plain = run(setup)
    setup.backbone.model.generation_config.repetition_penalty = 5.0
    setup.backbone.model.generation_config.do_sample = True
    own = setup.backbone.model.generation_config
    assert run(setup) == plain
    assert setup.backbone.model.generation_config is own


def test_a_failure_leaves_no_trace(setup, monkeypatch):
    own = setup.backbone.model.generation_config
    monkeypatch.setattr(setup.backbone.model, "generate", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(setup)
    monkeypatch.undo()
    assert setup.backbone.model.generation_config is own
    assert run(setup, new=2)


def test_long_prompts_are_shortened_to_the_positions(setup):
    text = run(setup, [Prompt("x" * 2000, tail="?")], [0], new=3)
    assert text == run(setup, [Prompt("x" * 1000, tail="?")], [0], new=3)
    assert run(setup, [Prompt("y" * 90 + "x" * 10)], [0], max_prompt_tokens=60) == run(
        setup, [Prompt("y" * 50 + "x" * 10)], [0], max_prompt_tokens=60
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"new": 0}, "max_new_tokens 0"),
        ({"new": 512}, "max_new_tokens 512"),
        ({"max_prompt_tokens": 501}, "max_prompt_tokens 501"),
        ({"temperature": -1.0}, "temperature -1"),
        ({"index": [0]}, r"shape \(4,\)"),
        ({"index": [0, 0, 0, 3]}, "valid are -1"),
        ({"batch_size": 0}, "batch_size 0"),
    ],
)
def test_wrong_settings_are_refused(setup, options, reason):
    with pytest.raises(ValueError, match=reason):
        run(setup, **options)


def test_no_prompts_give_no_texts(setup):
    assert run(setup, [], []) == []
    assert score(setup.backbone, setup.injector, [], [], None, []).shape == (0,)


def test_scores_are_log_probabilities_of_whole_completions(family):
    texts = ["yes", "no way", "", "perhaps"]
    scores = score(family.backbone, family.injector, PROMPTS, texts, family.adapters, INDEX, batch_size=3)
    for i, (prompt, text) in enumerate(zip(PROMPTS, texts, strict=True)):
        row = encode_row(family.backbone.tokenizer, prompt, text, 500)
        batch = collate([row], 256, [INDEX[i]])
        logits = family.logits(batch.input_ids, family.adapters, [INDEX[i]])[0].log_softmax(-1)
        at = range(row.prompt_tokens - 1, len(row.ids) - 1)
        expected = sum(logits[t, row.ids[t + 1]] for t in at)
        torch.testing.assert_close(scores[i], expected, rtol=1e-4, atol=1e-4)


def test_every_prompt_needs_a_completion(setup):
    with pytest.raises(ValueError, match="shorter"):
        score(setup.backbone, setup.injector, PROMPTS, ["a"], None, [-1] * 4)
