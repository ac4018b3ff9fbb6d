"""The demo end to end at a size of seconds: every file is there, the checkpoint and the adapters work."""

import json

import pytest

from tailorlm import Tailor
from tailorlm.demo.run import MARK, Plan, main

pytest.importorskip("peft")

SMALL = Plan(
    sizes={"train": 24, "random": 8, "ood": 8}, mt_steps=2, p2p_steps=3, paper_steps=2, traits_steps=2, paper_users=8,
    oppu_users=2, compared=2, impersonal=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "run"
    return out, main(out, seed=1, plan=SMALL)


def test_results_have_the_agreed_form(demo):
    out, result = demo
    assert json.loads((out / "results.json").read_text())["seed"] == 1
    for name in ("base", "mt_lora", "p2p", "p2p_paper", "p2p_shuffled", "p2p_traits", "oppu"):
        for split, row in result["methods"][name].items():
            assert split in ("random", "ood")
            assert set(row) == {"movie_tagging", "rating", "headline", "tweet", "average"}
            assert all(0 <= score <= 1 for score in row.values())
    assert result["commit"] and result["timing"]["seconds"]
    assert len(result["targets"]) == 10
    assert set(result["differences"]["p2p - oppu"]) == set(result["harmed"]["oppu"]) == {"random"}
    assert set(result["impersonal"]) == {"movie_tagging", "rating", "headline", "tweet", "average"}


def test_exports_equal_plain_peft_and_differ_from_a_swap(demo):
    check = demo[1]["export"]
    assert check["adapters"] == 8
    assert check["largest_difference"] < 1e-4


def test_the_folder_is_private_and_whole(demo):
    out, _ = demo
    assert out.stat().st_mode & 0o777 == 0o700
    assert "<svg" in (out / "report.html").read_text()
    lines = (out / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 2 * 8 * 8
    assert {"split", "user_id", "task", "input", "target", "profile", "outputs"} == set(json.loads(lines[0]))


def test_the_saved_hypernetwork_personalises(demo):
    tailor = Tailor.from_pretrained(demo[0] / "hypernetwork")
    item = {"task": "headline", "input": "Write a headline: rain opens the match", "output": "RAIN OPENS THE MATCH!"}
    ada = tailor.personalize(history=[item] * 3)
    assert len(ada) == 1
    assert isinstance(tailor.generate("Write a headline: a nurse saves the library", ada, max_new_tokens=4), str)


def test_a_folder_of_something_else_is_left_alone(demo, tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(ValueError, match=MARK):
        main(tmp_path)
    assert (tmp_path / "precious.txt").exists()
