"""The generated population: seeded, personal, and `ood` only where it says so."""

from collections import Counter
from random import Random

import pytest

from tailorlm.demo.population import OFF_TRAIT, TASKS, impersonal, population
from tailorlm.demo.traits import NEUTRAL, Traits, draw_ood, draw_seen, headlined, held_out, off_trait, posted, rated
from tailorlm.demo.wording import SCENES
from tailorlm.tasks.movie_tagging import TAGS


@pytest.fixture(scope="module")
def seen():
    return list(population("random", 300, seed=0))


def test_the_same_seed_gives_the_same_users_whatever_their_number():
    assert list(population("train", 3, 5)) == list(population("train", 9, 5))[:3]
    assert list(population("train", 3, 5)) != list(population("train", 3, 6))


def test_splits_are_different_people():
    ids = [m.user.id for split in ("base", "train", "random", "ood") for m in population(split, 20, 0)]
    assert len(set(ids)) == len(ids)
    with pytest.raises(ValueError, match="dev"):
        next(population("dev", 1, 0))


def test_every_user_does_every_task_in_20_to_40_items(seen):
    for member in seen:
        assert 20 <= len(member.user.history) <= 40
        assert {query.task for query in member.queries} == set(TASKS)
        times = [item.time for item in member.user.history]
        assert times == sorted(times)
        assert min(query.time for query in member.queries) > times[-1]


def test_the_users_majority_tag_is_right_at_most_35_percent_of_the_time(seen):
    right = []
    for member in seen:
        tags = Counter(item.output for item in member.user.history if item.task == "movie_tagging")
        right += [q.target == max(tags, key=tags.get) for q in member.queries if q.task == "movie_tagging" and tags]
    assert sum(right) / len(right) <= 0.35


def test_each_movie_admits_two_or_three_tags_and_the_ranking_decides(seen):
    for member in seen[:50]:
        for item in member.user.history:
            if item.task == "movie_tagging":
                listed = item.input.split("Tags: ")[1].split(", ")
                assert len(listed) in (2, 3)
                assert item.output in listed


def test_about_one_item_in_ten_is_off_trait(seen):
    tagged = [(m, i) for m in seen for i in m.user.history if i.task == "movie_tagging"]
    best = [min(i.input.split("Tags: ")[1].split(", "), key=m.traits.ranking.index) for m, i in tagged]
    off = sum(item.output != tag for (_, item), tag in zip(tagged, best, strict=True)) / len(tagged)
    assert 0.02 < off < OFF_TRAIT  # a redrawn ranking often agrees


def test_only_ood_users_have_held_out_pairs_and_in_every_task():
    rng = Random(0)
    assert not any(any(held_out(draw_seen(rng))) for _ in range(500))
    assert all(all(held_out(draw_ood(rng))) for _ in range(500))
    for split in ("base", "train", "random"):
        assert not any(any(held_out(m.traits)) for m in population(split, 100, 1))


def test_no_item_shows_a_held_out_pair_on_an_untypical_day_either():
    rng = Random(0)
    days = [(seen, off_trait(seen, rng)) for seen in (draw_seen(rng) for _ in range(2000))]
    assert not any(any(held_out(day)) for _, day in days)
    assert any(day != seen for seen, day in days)
    assert any(not all(held_out(off_trait(draw_ood(rng), rng))) for _ in range(100))


def test_every_value_of_an_ood_trait_is_in_training():
    common = [draw_seen(Random(n)) for n in range(400)]
    for n in range(100):
        rare = draw_ood(Random(n))
        for name in ("bias", "spread", "case", "ending", "opener", "emoji", "length"):
            assert any(getattr(t, name) == getattr(rare, name) for t in common)


def test_impersonal_questions_have_one_answer():
    rng = Random(0)
    for _ in range(50):
        asked, answer = impersonal("movie_tagging", rng)
        scenes = asked.removeprefix("Tag this movie: ").split(". Tags: ")[0].split(", ")
        assert all(scene in SCENES[answer] for scene in scenes)
    assert impersonal("headline", rng)[1][0].isupper()


def test_what_traits_do():
    shouting = Traits(TAGS, -1, 2.0, "upper", "!", "wow", "🔥", "short")
    assert headlined("rain opens the match", shouting) == "RAIN OPENS THE MATCH!"
    assert posted("the bus was late", "at midnight", shouting) == "wow the bus was late 🔥"
    assert [rated(level, shouting) for level in (1, 2, 3, 4, 5)] == ["1", "1", "2", "4", "5"]
    assert [rated(level, NEUTRAL) for level in (1, 2, 3, 4, 5)] == list("12345")
    assert posted("the bus was late", "at midnight", NEUTRAL) == "the bus was late at midnight"
