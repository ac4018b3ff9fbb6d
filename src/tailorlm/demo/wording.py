"""Words of the demo's generated world: tags, opinions, news and posts.

Knows nothing of users or traits. Lists are short so that a model of a million weights can learn them all.
"""

from tailorlm.tasks.movie_tagging import TAGS

SCENES: dict[str, tuple[str, ...]] = dict(
    zip(
        TAGS,
        (
            ("a lost map", "a jungle trek", "a desert race", "a hidden temple", "a mountain climb", "a long voyage"),
            ("a clumsy waiter", "a silly prank", "an awkward dinner", "a talking parrot", "a bad disguise", "a mixed up letter"),
            ("a bank robbery", "a stolen painting", "a corrupt judge", "a secret ledger", "a prison break", "a street gang"),
            ("a dying father", "a family secret", "a lost job", "a custody fight", "a broken promise", "a return home"),
            ("a haunted cellar", "a cursed doll", "a masked killer", "a dark forest", "a midnight scream", "an old grave"),
            ("a first kiss", "a summer wedding", "a love letter", "a chance meeting", "a slow dance", "a missed train"),
            ("a robot uprising", "a broken starship", "a time machine", "a distant planet", "an alien signal", "a cloned pilot"),
            ("a ticking bomb", "a double agent", "a wrong witness", "a hostage call", "a deadly chase", "a spy network"),
        ),
        strict=True,
    )
)
ASPECTS = ("plot", "cast", "music", "ending", "pacing", "script", "sound", "camera work")
OPINIONS: tuple[tuple[str, ...], ...] = (
    ("awful", "terrible", "unbearable", "dreadful", "a disaster", "horrible"),
    ("weak", "dull", "clumsy", "tired", "poor", "flat"),
    ("fine", "average", "passable", "decent", "ordinary", "acceptable"),
    ("good", "strong", "charming", "clever", "lovely", "solid"),
    ("brilliant", "stunning", "perfect", "a masterpiece", "superb", "flawless"),
)
NEWS = (
    ("rain", "snow", "fire", "the mayor", "a bakery", "the council", "a student", "the harbour", "a farmer", "the museum",
     "a nurse", "the library", "a train", "the school", "a painter", "the orchestra"),
    ("delays", "opens", "closes", "saves", "moves", "finds", "sells", "repairs", "praises", "blocks", "renames", "visits"),
    ("the match", "the bridge", "the market", "a garden", "the old mill", "the parade", "a tunnel", "the festival",
     "a clinic", "the playground", "the ferry", "a statue", "the theatre", "the road"),
    ("on monday", "on friday", "this week", "again", "at last", "before winter", "after a vote", "for charity",
     "by accident", "in the north", "near the river", "without warning"),
)
POSTS = (
    ("the coffee", "my bike", "the bus", "our cat", "the soup", "my phone", "the concert", "the weather", "my garden",
     "the lesson", "the pizza", "my neighbour", "the beach", "the exam"),
    ("was cold", "was late", "made my day", "broke again", "was wonderful", "smelled odd", "took forever", "was loud",
     "surprised me", "was worth it", "is back", "is gone"),
    ("at the station", "this morning", "after lunch", "in the rain", "near my office", "before class", "at midnight",
     "on the way home", "with my sister", "during the break", "last night", "in the park"),
)
