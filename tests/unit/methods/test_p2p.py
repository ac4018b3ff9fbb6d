"""P2P: own profile, own adapter; nothing of the target or the future; exact start; both scopes."""

from dataclasses import replace

import pytest
import torch

from tailorlm.backbone.loss import row_losses
from tailorlm.backbone.rows import collate
from tailorlm.data.cuts import Cut, seen
from tailorlm.data.records import Interaction
from tailorlm.demo.answering import shuffled
from tailorlm.demo.population import population
from tailorlm.demo.world import counted
from tailorlm.methods import p2p
from tailorlm.methods.batches import BatchSettings
from tailorlm.methods.objectives import LossSettings, SharedLora
from tailorlm.methods.p2p_rows import cuts_of, told_rows
from tailorlm.methods.source import shared_start
from tailorlm.profiles.norms import fit_norms
from tailorlm.profiles.profile import Statement
from tailorlm.profiles.statistical import summarise
from tailorlm.profiles.table import UnknownFacets, facet_names
from tailorlm.training.settings import TrainSettings

TRAIN = TrainSettings(steps=8, learning_rate=5e-3, warmup=0.0, save_every=0, line_seconds=1e9)
PLAIN = LossSettings(smoothing=0.0, neftune=0.0, l2=0.0, dropout=0.0)


def settings(pool="facets", scope="all", steps=8, head="L"):
    return p2p.Settings(
        net=p2p.NetSettings(
            pool=pool, head=head, latent=16, head_in=24, dropout=0.0, components=4, unit_norm=pool != "single"
        ),
        cuts=p2p.CutSettings(count=2, minimum=2, scope=scope),
        loss=PLAIN,
        batch=BatchSettings(users=8, rows=1),
        train=replace(TRAIN, steps=steps),
    )


@pytest.fixture(scope="module")
def trained(bench, people, tmp_path_factory):
    source = p2p.Source(bench, settings())
    source.prepare(people, tmp_path_factory.mktemp("run"))
    return source


def logits(bench, source, adapters, index, text="Write a headline: rain opens the match"):
    row = bench.backbone.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad(), source.injector(adapters, torch.tensor(index)):
        return bench.backbone.model(row.expand(len(index), -1)).logits


def test_each_user_gets_an_adapter_of_their_own_profile(trained, people, bench):
    roster = trained.enrol(people)
    alone = [trained.enrol([user]) for user in people]
    together = logits(bench, trained, roster.adapters, list(range(len(people))))
    for n, one in enumerate(alone):
        assert torch.allclose(together[n], logits(bench, trained, one.adapters, [0])[0], atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_permuting_users_permutes_adapters(trained, people):
    there = trained.enrol(people).adapters
    back = trained.enrol(people[::-1]).adapters
    for name, tensor in there.tensors.items():
        assert torch.allclose(tensor.flip(0), back.tensors[name], atol=1e-6)


def test_a_batch_trains_each_row_with_its_own_users_adapter(bench, people):
    """The published code gave every row the first user's adapter: gradients would then be equal for all users."""
    source = p2p.Source(bench, settings(steps=3))
    told = source.examples(people)
    rows, profiles, owners = told.rows, told.profiles, told.owners
    source.facets = facet_names(profiles)
    table = source.table(profiles)
    torch.manual_seed(0)
    network = source.build(table)
    for head in network.heads:
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.05)
    objective = p2p.HypernetObjective(bench.backbone, source.injector, network, table, PLAIN)
    picked = [owners.index(n) for n in range(4)]
    batch = collate([rows.rows[i] for i in picked], bench.backbone.pad_id, [owners[i] for i in picked])
    losses, _ = objective.loss(batch)
    for n, i in enumerate(picked):
        adapter = network(*table.gather(torch.tensor([owners[i]])))
        with source.injector(adapter, torch.tensor([0])):
            own = row_losses(bench.backbone, collate([rows.rows[i]], bench.backbone.pad_id, [0]))
        assert torch.allclose(losses[n], own[0], atol=1e-5)
    wrong, _ = objective.loss(replace(batch, index=batch.index.flip(0)))
    source.injector.clear()
    assert (wrong - losses).abs().max() > 1e-3


def test_profiles_hold_nothing_of_the_target_or_the_future(bench, people):
    source = p2p.Source(bench, settings())
    user, cut = people[0], Cut(people[0].id, 10)
    other = Interaction("Write a headline: zz", "ZZ!", None, "headline")
    later = replace(user, history=user.history[:10] + (other,) * (len(user.history) - 10))
    earlier = replace(user, history=(other,) * 9 + user.history[9:])

    def made(person):
        return told_rows(bench, source.inputs, [person], [cut], "all", bench.max_tokens, 0).profiles[0]

    assert made(user) == made(later)
    assert made(user) != made(earlier)
    source.facets = facet_names([made(user), made(earlier)])
    table = [source.table([made(person)]).gather(torch.tensor([0]))[0] for person in (user, later, earlier)]
    assert torch.equal(table[0], table[1])
    assert not torch.equal(table[0], table[2])
    assert seen(user, cut) == user.history[:10]


def test_norms_fitted_anew_hold_nothing_of_the_target_or_the_future(bench, people):
    """As `product_rating` trains: who is described is among those whose ratings the norms are fitted on."""

    def flipped(item):
        rated = item.task == "rating"
        return replace(item, output=str(6 - int(item.output))) if rated else replace(item, output="zz")

    def made(everybody, user, position, profile_of):
        source = p2p.Source(replace(bench, profile=profile_of(everybody)), settings())
        return told_rows(source.bench, source.inputs, [user], [Cut(user.id, position)], "all", 256, 0).profiles[0]

    def same_after_later_items_changed(profile_of):
        found = []
        for place, user in enumerate(many):
            position = len(user.history) // 2
            before, after = user.history[:position], user.history[position:]
            later = replace(user, history=before + tuple(map(flipped, after)) * 3)
            changed = [*many[:place], later, *many[place + 1 :]]
            found.append(made(many, user, position, profile_of) == made(changed, later, position, profile_of))
        return found

    def fitted_on_everybody(everybody):
        norms = fit_norms(user.history for user in everybody)
        return lambda user_id, history, task: summarise(user_id, history, task, None, norms)

    many = [member.user for member in population("train", 24, seed=5)]
    assert all(same_after_later_items_changed(counted))
    assert not all(same_after_later_items_changed(fitted_on_everybody))


@pytest.mark.parametrize(("having", "kept"), [(1, False), (4, False), (5, True)])
def test_few_users_own_text_names_no_facet(bench, people, tmp_path, having, kept):
    secret = tuple(Interaction(f"file letter {n}", "Zanzibar Quill", None, "folder") for n in range(8))
    some = [replace(user, history=secret + user.history) for user in people[:having]] + people[having:]
    source = p2p.Source(replace(bench, profile=counted(some)), settings(steps=1))
    source.prepare(some, tmp_path)
    assert ("folder: zanzibar quill" in source.facets) is kept and source.left_out == (not kept)
    assert {"history", "movie_tagging: comedy", "rating: level"} <= set(source.facets)


def test_what_training_left_out_stops_no_enrolment_and_what_it_never_met_does(bench, people, tmp_path):
    def with_own(user, label):
        items = tuple(Interaction(f"file letter {n}", label, None, "folder") for n in range(8))
        return replace(user, history=items + user.history)

    some = [with_own(people[0], "Zanzibar Quill"), *people[1:]]
    source = p2p.Source(replace(bench, profile=counted(some)), settings(steps=1))
    source.prepare(some, tmp_path)
    assert source.left_out == 1 and not source.unread
    roster = source.enrol([some[0], people[1], with_own(people[2], "never seen")])
    assert source.unread == {"folder: zanzibar quill": 1, "folder: never seen": 1}
    # The adapter is that of the profile without it, and of a network that was loaded likewise.
    said = source.bench.profile(some[0].id, some[0].history, None)
    fitted = replace(said, statements=tuple(one for one in said.statements if one.facet in source.facets))
    again = p2p.Source(source.bench, settings(steps=1))
    again.restore(source.hypernet, source.facets)
    for other in (source.enrol_profiles([fitted]), again.enrol([some[0]])):
        for name, tensor in other.adapters.tensors.items():
            assert torch.allclose(tensor[0], roster.adapters.tensors[name][0], atol=1e-6)
    foreign = replace(said, statements=(*fitted.statements, Statement("another template's", "text")))
    with pytest.raises(UnknownFacets, match="1 facets"):
        source.enrol_profiles([foreign])


def test_a_setting_lets_every_facet_in(bench, people, tmp_path):
    own = tuple(Interaction(f"file letter {n}", "taxes", None, "folder") for n in range(8))
    some = [replace(people[0], history=own + people[0].history), *people[1:]]
    source = p2p.Source(replace(bench, profile=counted(some)), replace(settings(steps=1), facet_users=1))
    source.prepare(some, tmp_path)
    assert "folder: taxes" in source.facets and source.left_out == 0
    with pytest.raises(ValueError, match="facet_users is 0"):
        p2p.Settings(facet_users=0)


def test_cuts_of_a_user_do_not_depend_on_company(people):
    drawn = cuts_of(people, settings().cuts, 0)
    assert [cut for cut in drawn if cut.user_id == people[2].id] == cuts_of([people[2]], settings().cuts, 0)


def test_a_start_is_everybodys_adapter_before_training(bench, people):
    source = p2p.Source(bench, settings())
    shared = SharedLora(source.space, 1.0)
    for value in shared.values:
        torch.nn.init.normal_(value)
    start = shared().detach()
    source = p2p.Source(bench, settings(), shared_start(start))
    profiles = [bench.profile(user.id, user.history, None) for user in people]
    source.facets = facet_names(profiles)
    source.hypernet = source.build(source.table(profiles)).eval()
    for name, tensor in source.enrol_profiles(profiles).adapters.tensors.items():
        assert torch.allclose(tensor, start.tensors[name].expand_as(tensor), atol=1e-5)


def test_the_papers_form_makes_an_adapter_a_user_and_task(bench, people, tmp_path):
    source = p2p.Source(bench, settings(pool="single", scope="task"))
    source.prepare(people, tmp_path / "run")
    roster = source.enrol(people[:2], ["headline", "rating"])
    assert len(roster.adapters) == 4
    assert set(roster.place) == {(u.id, t) for u in people[:2] for t in ("headline", "rating")}
    with pytest.raises(ValueError, match="name the tasks"):
        source.enrol(people)


def test_shuffled_gives_everybody_somebody_elses_adapter(trained, people):
    mine, theirs = trained.enrol(people[:3]), trained.enrol(people[3:])
    wrong = shuffled(mine, theirs)
    assert [wrong.place[user.id, None] for user in people[:3]] == [0, 1, 2]
    assert wrong.adapters is theirs.adapters
    with pytest.raises(ValueError, match="other users"):
        shuffled(mine, mine)


def test_before_training_there_is_nothing_to_ask(bench, people):
    with pytest.raises(RuntimeError, match="no trained network"):
        p2p.Source(bench, settings()).enrol(people)


def test_training_again_gives_the_same_network(trained, bench, people, tmp_path):
    again = p2p.Source(bench, settings())
    again.prepare(people, tmp_path / "run")
    for name, value in again.hypernet.state_dict().items():
        assert torch.equal(value, trained.hypernet.state_dict()[name])
