"""Splits on synthetic clusters with known answers; disjoint, in proportion, and the same in any order."""

import json
import stat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailorlm.data.splits import Split, joined, keep, load, save
from tailorlm.data.splits_benchmark import benchmark_split, usual_range, usual_size
from tailorlm.data.splits_clusters import (
    Clusters,
    arranged,
    best_count,
    by_lot,
    cluster,
    drawn,
    in_proportion,
    isolation,
)
from tailorlm.data.splits_few_shot import few_shot_split, newest, task_rows
from tailorlm.data.splits_subsample import diversity, quantity

QUICK = settings(max_examples=25, deadline=None)


def world(sizes: list[int], spread: float = 0.05, wide: int = 8, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Users `c{cluster}-{n}` about orthogonal directions, so the true clusters are in the ids."""
    rng = np.random.default_rng(seed)
    rows, ids = [], []
    for place, size in enumerate(sizes):
        rows.append(np.eye(wide)[place] + spread * rng.normal(size=(size, wide)))
        ids += [f"c{place}-{n:03d}" for n in range(size)]
    return ids, np.concatenate(rows)


def kinds(ids: tuple[str, ...]) -> dict[str, int]:
    return {kind: sum(i.startswith(kind + "-") for i in ids) for kind in sorted({i.split("-")[0] for i in ids})}


class TestOutOfDistribution:
    def test_whole_small_clusters_go_while_they_fit(self) -> None:
        ids, vectors = world([60, 50, 4, 6])
        split = benchmark_split(ids, vectors, size=10)
        assert kinds(split.part("ood")) == {"c2": 4, "c3": 6}
        assert split.part("left_out") == ()
        assert (split.made["clusters"], split.made["chosen_sizes"]) == (4, [4, 6])
        assert set(kinds(split.part("train"))) == set(kinds(split.part("random"))) == {"c0", "c1"}

    def test_of_a_cluster_that_does_not_fit_the_farthest_go_and_nobody_of_it_is_trained_on(self) -> None:
        ids, vectors = world([60, 50, 4, 9])
        far = [ids.index(f"c3-{n:03d}") for n in (1, 5, 7)]
        vectors[far] += 0.6 * np.eye(8)[7]
        vectors[far, 7] += np.array([0, 0.1, 0.2])
        split = benchmark_split(ids, vectors, size=7, clusters=(4, 4))
        assert split.part("ood") == tuple(sorted([i for i in ids if i.startswith("c2")] + [ids[n] for n in far]))
        assert kinds(split.part("left_out")) == {"c3": 6}
        assert set(kinds(split.part("train") + split.part("random"))) == {"c0", "c1"}

    def test_isolation_is_mean_distance_over_one_plus_size(self) -> None:
        centres = np.array([[0, 0], [3, 0], [0, 4]], dtype=np.float32)
        found = Clusters(np.array([0, 0, 0, 1, 2]), centres)
        assert isolation(found) == pytest.approx([3.5 / 4, 4 / 2, 4.5 / 2])

    def test_a_far_cluster_is_taken_before_a_near_one_of_its_size(self) -> None:
        ids, vectors = world([40, 40, 5, 5], spread=0.02)
        vectors[[i.startswith("c2") for i in ids]] += 1.5 * np.eye(8)[0]
        assert kinds(benchmark_split(ids, vectors, size=5, clusters=(4, 4)).part("ood")) == {"c3": 5}

    @pytest.mark.parametrize("count", [2, 3, 5, 7])
    def test_the_silhouette_finds_the_true_number_of_clusters(self, count: int) -> None:
        _, unit = arranged(*world([20] * count))
        found, scores = best_count(unit, 2, 12, 0)
        assert found == count
        assert scores[count] == max(scores.values()) > 0.8

    def test_a_wide_range_is_searched_evenly_by_ratio(self) -> None:
        _, unit = arranged(*world([4] * 8, spread=0.3))
        _, scores = best_count(unit, 2, 31, 0)
        assert min(scores) == 2 and max(scores) == 31 and len(scores) <= 16

    def test_users_that_cannot_be_told_apart_have_no_split(self) -> None:
        with pytest.raises(ValueError, match="30 users with 1 different vectors: too few for 2 clusters"):
            benchmark_split([str(n) for n in range(30)], np.ones((30, 4)))
        with pytest.raises(ValueError, match="clusters from 1 to 4"):
            benchmark_split(*world([5, 5]), size=1, clusters=(1, 4))

    def test_too_few_users_to_train_on(self) -> None:
        with pytest.raises(ValueError, match=r"4 share their clusters, and 8 random test users leave none of 0"):
            benchmark_split(*world([8, 4]), size=8)
        with pytest.raises(ValueError, match="0 test users"):
            benchmark_split(*world([8, 4]), size=0)


class TestRandom:
    def test_users_are_drawn_from_every_cluster_in_proportion(self) -> None:
        ids, vectors = world([100, 60, 40, 2])
        split = benchmark_split(ids, vectors, size=20, clusters=(4, 4))
        # 2 of c2 (or of another) and c3 leave; the rest mirrors what remains.
        rest = kinds(split.part("train") + split.part("random"))
        share = {kind: 20 * n / sum(rest.values()) for kind, n in rest.items()}
        assert all(abs(n - share[kind]) <= 2 for kind, n in kinds(split.part("random")).items())

    def test_a_draw_is_exact_where_the_proportions_are_whole(self) -> None:
        ids, labels = [f"u{n}" for n in range(100)], np.repeat([0, 1, 2], [50, 30, 20])
        places = drawn(ids, labels, 10, 0, "x")
        assert np.bincount(labels[places]).tolist() == [5, 3, 2]
        assert places != drawn(ids, labels, 10, 1, "x") and places != drawn(ids, labels, 10, 0, "y")

    @QUICK
    @given(st.lists(st.integers(0, 40), min_size=1, max_size=9), st.data())
    def test_proportions_are_rounded_by_less_than_one_and_sum_up(self, sizes: list[int], data: st.DataObject) -> None:
        total = data.draw(st.integers(0, sum(sizes)))
        shares = in_proportion(np.array(sizes), total)
        exact = np.array(sizes) * total / max(1, sum(sizes))
        assert shares.sum() == total
        assert (np.abs(shares - exact) < 1).all() and (shares <= sizes).all() and (shares >= 0).all()

    def test_more_than_there_are(self) -> None:
        with pytest.raises(ValueError, match="4 users to draw of 3"):
            in_proportion(np.array([1, 2]), 4)

    @pytest.mark.parametrize(("users", "size"), [(6347, 200), (1000, 200), (999, 100), (918, 92), (317, 32), (514, 52)])
    def test_sizes_are_those_of_the_papers_table_8(self, users: int, size: int) -> None:
        assert usual_size(users) == size

    def test_a_cluster_that_is_cut_is_never_most_of_a_large_population(self) -> None:
        assert [usual_range(users, usual_size(users)) for users in (12, 999, 6000, 20_000, 60_000)] == [
            (2, 50), (2, 50), (6, 50), (20, 50), (60, 120),
        ]  # fmt: skip
        ids, vectors = world([300, 300], spread=0.3)
        split = benchmark_split(ids, vectors, size=10)
        assert split.made["range"] == [12, 50]
        assert len(split.part("left_out")) < 100


class TestProperties:
    @QUICK
    @given(st.lists(st.integers(3, 12), min_size=3, max_size=6), st.integers(1, 4), st.integers(0, 3))
    def test_parts_are_disjoint_and_complete_and_order_is_nothing(self, sizes: list[int], size: int, seed: int) -> None:
        ids, vectors = world(sizes, spread=0.2, seed=seed)
        order = np.random.default_rng(seed).permutation(len(ids))
        try:
            split = benchmark_split(ids, vectors, size, seed=seed)
        except ValueError as refused:
            assert "leave none" in str(refused)
            return
        assert sorted(user for part in split.parts.values() for user in part) == sorted(ids)
        assert len(split.part("random")) == len(split.part("ood")) == size
        assert benchmark_split([ids[n] for n in order], vectors[order], size, seed=seed) == split
        names, unit = arranged(ids, vectors)
        labels = dict(zip(names, cluster(unit, split.made["clusters"], seed).labels, strict=True))
        chosen = {labels[user] for user in split.part("ood")}
        assert chosen.isdisjoint({labels[user] for user in split.part("train") + split.part("random")})

    def test_length_of_vectors_is_nothing_and_the_seed_is_something(self) -> None:
        ids, vectors = world([40, 30, 20])
        split = benchmark_split(ids, vectors, size=5)
        assert benchmark_split(ids, vectors * np.linspace(1, 90, 90)[:, None], size=5).parts == split.parts
        assert benchmark_split(ids, vectors, size=5, seed=1).part("random") != split.part("random")

    @pytest.mark.parametrize(
        ("ids", "vectors", "reason"),
        [
            (["a", "b"], np.ones((3, 2)), r"shape \(3, 2\), expected \(2, E\)"),
            ([], np.ones((0, 2)), r"expected \(0, E\)"),
            (["a", "a"], np.ones((2, 2)), "user 'a' comes twice"),
            (["a", "b"], [[1, 0], [0, 0]], "vector of user 'b' is not finite or all zeros"),
            (["b", "a"], [[1, 0], [np.nan, 0]], "vector of user 'a' is not finite"),
        ],
    )
    def test_vectors_that_are_refused(self, ids: list[str], vectors: np.ndarray, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            arranged(ids, vectors)

    def test_lots_do_not_depend_on_who_else_is_there(self) -> None:
        ids = [f"u{n}" for n in range(50)]
        order = [ids[n] for n in by_lot(ids, 3, "p")]
        fewer = [i for n, i in enumerate(ids) if n % 3]
        assert [fewer[n] for n in by_lot(fewer, 3, "p")] == [i for i in order if i in fewer]


class TestFile:
    def test_it_reads_back_and_holds_ids_only_privately(self, tmp_path) -> None:
        split = benchmark_split(*world([30, 20, 5]), size=5)
        save(split, tmp_path / "split.json")
        assert load(tmp_path / "split.json") == split
        assert stat.S_IMODE((tmp_path / "split.json").stat().st_mode) == 0o600
        assert json.loads((tmp_path / "split.json").read_text())["format"] == "tailorlm-split-1"
        assert [path.name for path in tmp_path.iterdir()] == ["split.json"]

    def test_a_resumed_run_refuses_another_split(self, tmp_path) -> None:
        ids, vectors = world([30, 20, 5])
        split = benchmark_split(ids, vectors, size=5)
        assert keep(split, tmp_path / "s.json") == split == keep(split, tmp_path / "s.json")
        other = benchmark_split(ids, vectors, size=5, seed=1)
        with pytest.raises(ValueError, match=r"s\.json holds another split .*seed 0 there, 1 here, .*users are in one"):
            keep(other, tmp_path / "s.json")
        with pytest.raises(ValueError, match="kind benchmark there, few_shot here"):
            keep(few_shot_split(ids, targets=3), tmp_path / "s.json")
        assert load(tmp_path / "s.json") == split

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{", "cannot be read"),
            ("[]", "expected a file of the format"),
            ('{"format": "tailorlm-split-1", "kind": "x", "made": {}, "parts": {"a": [1]}}', "lists of ids"),
            (
                '{"format": "tailorlm-split-1", "kind": "x", "made": {}, "parts": {"a": ["u"], "b": ["u"]}}',
                "user 'u' is in a and in b",
            ),
        ],
    )
    def test_broken_files(self, tmp_path, text: str, reason: str) -> None:
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(ValueError, match=rf"s\.json.*{reason}"):
            load(tmp_path / "s.json")
        with pytest.raises(ValueError, match="cannot be read"):
            load(tmp_path / "none.json")

    def test_nothing_is_left_of_a_write_that_fails(self, tmp_path) -> None:
        (tmp_path / "s.json").mkdir()
        with pytest.raises(OSError):
            save(Split("x", {"a": ("u",)}), tmp_path / "s.json")
        assert [path.name for path in tmp_path.iterdir()] == ["s.json"]

    def test_parts_by_name(self) -> None:
        split = Split("x", {"train": ("b", "a"), "ood": ()})
        assert split.part("train") == ("a", "b")
        with pytest.raises(ValueError, match="did you mean train"):
            split.part("trian")


class TestFewShot:
    def test_a_quarter_is_task_data_and_a_hundred_are_served(self) -> None:
        ids = [f"u{n}" for n in range(1000)]
        split = few_shot_split(ids)
        assert {name: len(users) for name, users in split.parts.items()} == {"target": 100, "task": 250, "sharers": 650}
        assert split == few_shot_split(ids[::-1])
        assert split.part("target") != few_shot_split(ids, seed=1).part("target")

    def test_task_rows_are_none_some_or_all(self) -> None:
        rows = [f"r{n}" for n in range(80)]
        assert task_rows(rows, 0) == ()
        assert task_rows(rows, "all") == tuple(sorted(rows))
        fifty = task_rows(rows, 50)
        assert len(fifty) == 50 and set(task_rows(rows, 10)) < set(fifty) and fifty == task_rows(rows[::-1], 50)
        with pytest.raises(ValueError, match='task_data = 81: there are 80 rows; expected 0 to 80, or "all"'):
            task_rows(rows, 81)

    def test_the_newest_items_oldest_first(self) -> None:
        assert [newest(range(6), shots) for shots in (1, 5, 10)] == [(5,), (1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 5)]
        with pytest.raises(ValueError, match="shots = 0"):
            newest([1], 0)

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"targets": 9}, "10 users: too few for 9 target users and 2 of task data"),
            ({"targets": 0}, "targets 0"),
            ({"task_share": 1.0}, "task_share 1.0"),
        ],
    )
    def test_refusals(self, arguments: dict[str, float], reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            few_shot_split([str(n) for n in range(10)], **{"targets": 2} | arguments)


class TestSubsampling:
    def test_fewer_clusters_hold_as_many_users_of_fewer_kinds(self) -> None:
        ids, vectors = world([10, 20, 30, 40, 20])
        found = diversity(ids, vectors, counts=(2, 3, 5))
        assert {count: len(kinds(users)) for count, users in found.items()} == {2: 2, 3: 3, 5: 5}
        assert len({len(users) for users in found.values()}) == 1
        assert set(kinds(found[2])) < set(kinds(found[3])) < set(kinds(found[5]))
        assert diversity(ids[::-1], vectors[::-1], counts=(2, 3, 5)) == found
        sizes = {"c0": 10, "c1": 20, "c2": 30, "c3": 40, "c4": 20}
        assert len(found[2]) == sum(sizes[kind] for kind in kinds(found[2]))
        assert all(abs(n - len(found[5]) * sizes[kind] / 120) < 1 for kind, n in kinds(found[5]).items())

    def test_diversity_needs_that_many_kinds(self) -> None:
        with pytest.raises(ValueError, match="4 different vectors: too few for 50"):
            diversity([str(n) for n in range(8)], np.eye(4)[[0, 1, 2, 3] * 2])
        with pytest.raises(ValueError, match="numbers of clusters"):
            diversity(["a"], np.ones((1, 2)), counts=())

    def test_less_is_a_part_of_more(self) -> None:
        ids = [f"u{n:02d}" for n in range(15)]
        found = quantity(ids)
        assert [len(found[share]) for share in (0.2, 0.4, 0.6, 0.8, 1.0)] == [3, 6, 9, 12, 15]
        assert set(found[0.2]) < set(found[0.4]) < set(found[1.0]) == set(ids)
        assert quantity(ids[::-1]) == found != quantity(ids, seed=1)

    @pytest.mark.parametrize("share", [0, -0.5, 1.1])
    def test_shares_out_of_bounds(self, share: float) -> None:
        with pytest.raises(ValueError, match="of the users: expected more than 0"):
            quantity(["a"], [share])


def test_splits_of_different_users_are_joined_part_by_part():
    one = Split("few_shot", {"target": ("a",), "task": ("b",)}, {"seed": 1})
    two = Split("few_shot", {"target": ("d", "c"), "sharers": ("e",)}, {"seed": 2})
    both = joined({"x": one, "y": two})
    assert both.parts == {"target": ("a", "c", "d"), "task": ("b",), "sharers": ("e",)}
    assert both.kind == "few_shot" and both.made == {"x": {"seed": 1}, "y": {"seed": 2}}
    with pytest.raises(ValueError, match="user 'a' is in target and in task"):
        joined({"x": one, "y": Split("few_shot", {"task": ("a",)})})
    with pytest.raises(ValueError, match=r"kinds \['benchmark', 'few_shot'\]: expected one"):
        joined({"x": one, "y": Split("benchmark", {})})
    with pytest.raises(ValueError, match="expected one kind"):
        joined({})
