"""Makes the few generated people on whom the papers' recipes run at `scale=tiny`, laid out as prepare.py lays them out.

    python recipes/paper/tiny/make.py [OUT]

    users.jsonl, split.json, clusters_N/, users_N/     P2P: every task, in its own words; the split, and figure 3's
    LaMP_2M/, LaMP_3/, text_to_lora.jsonl              PRISP: two tasks (of the second, whose LoRAs are lent), and what
                                                       Text-to-LoRA is trained on: tasks that are described

Nothing of any corpus is in them: words are the demo's. Each user has a manner (a favourite label, a mark at the end, a
shift of scores), so that a method has something to find. Knows nothing of recipes.
"""

import random
import runpy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailorlm.data.jsonl import write_users
from tailorlm.data.longlamp import review_input
from tailorlm.data.records import Example, Interaction, User
from tailorlm.data.splits import Split, joined, save
from tailorlm.demo.wording import ASPECTS, NEWS, OPINIONS, POSTS, SCENES
from tailorlm.tasks import lamp_1, lamp_2m, lamp_2n, lamp_3, lamp_4, lamp_5, longlamp_topic

DAY = 86_400.0
MARKS = (".", "!", " ...", " ok")


@dataclass(frozen=True)
class Manner:
    """What is a user's own."""

    label: int
    mark: str
    shift: int


def scene(dice: random.Random) -> str:
    """A film in a few words."""
    return ", ".join(dice.choice(SCENES[tag]) for tag in dice.sample(sorted(SCENES), 2))


def opinion(dice: random.Random) -> tuple[str, int]:
    """A review, and how good it is, 1 to 5."""
    level = dice.randint(1, 5)
    return f"the {dice.choice(ASPECTS)} was {dice.choice(OPINIONS[level - 1])}", level


def news(dice: random.Random) -> str:
    """A piece of news."""
    return " ".join(dice.choice(words) for words in NEWS)


def post(dice: random.Random) -> str:
    """Something that happened."""
    return " ".join(dice.choice(words) for words in POSTS)


def tagged(manner: Manner, dice: random.Random) -> tuple[str, str]:
    return scene(dice), lamp_2m.LABELS[(manner.label + dice.randrange(2)) % len(lamp_2m.LABELS)]


def filed(manner: Manner, dice: random.Random) -> tuple[str, str]:
    return news(dice), lamp_2n.LABELS[(manner.label + dice.randrange(2)) % len(lamp_2n.LABELS)]


def rated(manner: Manner, dice: random.Random) -> tuple[str, str]:
    said, level = opinion(dice)
    return said, str(min(5, max(1, level + manner.shift)))


def named(manner: Manner, dice: random.Random) -> tuple[str, str]:
    said = news(dice)
    return said, said + manner.mark


def tweeted(manner: Manner, dice: random.Random) -> tuple[str, str]:
    return "", post(dice) + manner.mark


def posted(manner: Manner, dice: random.Random) -> tuple[str, str]:
    said = post(dice)
    return said, f"{said}, {post(dice)}{manner.mark}"


def reviewed(manner: Manner, dice: random.Random) -> tuple[str, str]:
    said, level = opinion(dice)
    return review_input({"overall": str(level), "description": scene(dice), "summary": said}, ""), said + manner.mark


def felt(manner: Manner, dice: random.Random) -> tuple[str, str]:
    return f"article {dice.randint(1, 400)}", post(dice) + manner.mark


MAKERS: dict[str, Callable[[Manner, random.Random], tuple[str, str]]] = {
    "lamp_1": named, "lamp_2m": tagged, "lamp_2n": filed, "lamp_3": rated, "lamp_4": named, "lamp_5": named,
    "lamp_7": tweeted, "longlamp_abstract": named, "longlamp_topic": posted, "longlamp_review": reviewed,
    "personal_reddit": posted, "empathic": felt,
}  # fmt: skip


def cited(title: str, dice: random.Random) -> tuple[str, str]:
    """A question of LaMP-1: the right reference has the title's first words, the wrong one others."""
    options = [" ".join(title.split()[:3]), post(dice)]
    right = dice.randrange(2)
    first, second = options if right == 0 else reversed(options)
    question = f'{lamp_1.OPENING}{title}{lamp_1.CLOSING}{lamp_1.ANSWERS}[1]: "{first}" [2]: "{second}"'
    return question, lamp_1.LABELS[right]


ASKED = {
    "lamp_2m": lamp_2m.INSTRUCTION, "lamp_2n": lamp_2n.INSTRUCTION, "lamp_3": lamp_3.INSTRUCTION,
    "lamp_4": lamp_4.INSTRUCTION, "lamp_5": lamp_5.INSTRUCTION, "longlamp_topic": longlamp_topic.OPENING,
    "lamp_7": "Paraphrase the following tweet without any explanation before or after it: ",
}  # fmt: skip


def question(task: str, manner: Manner, dice: random.Random) -> tuple[str, str]:
    """What is asked of a user, in the official words, and the answer."""
    said, answer = MAKERS[task](manner, dice)
    if task == "lamp_1":
        return cited(said, dice)
    if task == "lamp_7":
        said = answer.removesuffix(manner.mark)
    if task == "longlamp_abstract":
        return f'Generate an abstract for the title "{said}" using the following items: one, two.', answer
    return ASKED.get(task, "") + said, answer


def member(part: str, tasks: Sequence[str], number: int, items: int) -> tuple[User, tuple[Example, ...]]:
    """A user with `items` items of each task and a query of each after them, in one manner."""
    name = f"{part}-{number}"
    dice = random.Random(name)
    manner = Manner(dice.randrange(15), dice.choice(MARKS), dice.choice((-1, 0, 1)))
    order = [task for _ in range(items) for task in tasks]
    history = tuple(Interaction(*MAKERS[task](manner, dice), DAY * day, task) for day, task in enumerate(order))
    profile = f"ends with {manner.mark.strip()}\nlikes {lamp_2m.LABELS[manner.label]}"
    queries = tuple(
        Example(f"{name}-{task}", name, task, *question(task, manner, dice), DAY * len(order)) for task in tasks
    )
    return User(name, history, profile), queries


DESCRIBED: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    "shouted": (("Write the text in capitals.", "Say it again, all letters large."), str.upper),
    "first": (
        ("Give the first word of the text.", "Which word does the text begin with?"),
        lambda said: said.split()[0],
    ),
    "counted": (("Count the words of the text.", "How many words are there?"), lambda said: str(len(said.split()))),
}
"""Text-to-LoRA's tasks: what they are called, what may be said of each, and what they ask for."""


def described(name: str, items: int = 6) -> tuple[User, tuple[Example, ...]]:
    """A task as a user: its examples the history, its descriptions the profile, a line each."""
    dice = random.Random(name)
    said = [post(dice) for _ in range(items)]
    lines, answer = DESCRIBED[name]
    history = tuple(Interaction(f"{lines[0]} {one}", answer(one), DAY * day) for day, one in enumerate(said))
    return User(name, history, "\n".join(lines)), ()


def people(part: str, tasks: Sequence[str], users: int, items: int) -> list[tuple[User, tuple[Example, ...]]]:
    """So many users of a part, with so many items of each task."""
    return [member(part, tasks, number, items) for number in range(users)]


def p2p(out: Path, prepare: dict[str, Callable[..., dict[str, dict[str, Split]]]]) -> None:
    """Users of all tasks at once; two of each test set."""
    users = {"train": people("train", tuple(MAKERS), 6, 4), "test": people("test", tuple(MAKERS), 4, 4)}
    write_users(out / "users.jsonl", [*users["train"], *users["test"]])
    train, test = ([user.id for user, _ in users[part]] for part in ("train", "test"))
    whole = Split("benchmark", {"train": train, "random": test[:2], "ood": test[2:], "left_out": ()}, {})
    save(joined({"tiny": whole}), out / "split.json")
    # All users are of one kind here, so that fewer clusters are all users, too.
    for name, made in prepare["fewer"]({"tiny": whole}, {id: [1.0, 0.0] for id in train}, 0).items():
        (out / name).mkdir(exist_ok=True)
        save(joined(made), out / name / "split.json")


def prisp(out: Path, prepare: dict[str, Callable[..., object]]) -> None:
    """A task's files, and those of another task that figure 7 borrows."""
    parts = (("target", 4), ("task", 12), ("sharers", 8))
    target, task, sharers = (people(f"movies_{part}", ("lamp_2m",), count, 12) for part, count in parts)
    for folder in ("LaMP_2M", "LaMP_3"):
        (out / folder).mkdir(exist_ok=True)
    prepare["written"](
        out / "LaMP_2M", lambda: target, lambda: task, lambda: sharers, lambda: [*task, *sharers], 0, rows=8
    )
    write_users(out / "LaMP_3" / "task_50.jsonl", people("reviews_task", ("lamp_3",), 8, 12))
    write_users(out / "LaMP_3" / "sharers.jsonl", people("reviews_sharers", ("lamp_3",), 8, 12))
    write_users(out / "text_to_lora.jsonl", map(described, DESCRIBED))


def main(out: Path) -> None:
    """Write everything, readable by everybody: they are nobody's."""
    prepare = runpy.run_path(str(Path(__file__).parents[1] / "prepare.py"), run_name="prepare")
    p2p(out, prepare)
    prisp(out, prepare)
    for path in out.rglob("*.json*"):
        path.chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
