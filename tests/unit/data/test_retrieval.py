"""What of an item is searched and shown."""

import pytest

from tailorlm.data.records import Interaction
from tailorlm.data.retrieval import WHOLE, given, given_and_said, labelled, said, said_and_given

ITEM = Interaction("asked {it}", "answered")


def test_the_parts_of_an_item() -> None:
    assert (said(ITEM), given(ITEM)) == ("asked {it}", "answered")
    assert said_and_given(ITEM) == "asked {it} answered"
    assert given_and_said(ITEM) == "answered asked {it}"
    assert given_and_said(Interaction("", "alone")) == said_and_given(Interaction("", "alone")) == "alone"


def test_an_empty_part_has_no_line() -> None:
    shown = labelled("Text", "Tweet")
    assert shown(ITEM) == "Text: asked {it}\nTweet: answered"
    assert shown(Interaction("", "alone")) == "Tweet: alone"
    assert shown(Interaction("alone", " ")) == "Text: alone"


@pytest.mark.parametrize("text", ["", "two words"])
def test_without_a_task_all_of_the_input_is_the_query(text: str) -> None:
    assert WHOLE.query(text) == text
    assert WHOLE.document(ITEM) == "asked {it} answered"
    assert WHOLE.shown(ITEM) == "Question: asked {it}\nAnswer: answered"
