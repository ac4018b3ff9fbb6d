"""Batches of rows: right padding, labels on the completion and its end token only."""

import pytest
import torch

from tailorlm.backbone.rows import Row, collate


def test_collate():
    batch = collate([Row("a", [1, 2, 3, 4], 2), Row("b", [5, 6], 1)], 0, [1, -1])
    assert batch.input_ids.tolist() == [[1, 2, 3, 4], [5, 6, 0, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.labels.tolist() == [[-100, -100, 3, 4], [-100, 6, -100, -100]]
    assert batch.index.tolist() == [1, -1] and batch.ids == ("a", "b")
    assert batch.to("cpu").ids == batch.ids


def test_a_padding_token_inside_a_row_stays():
    batch = collate([Row("a", [0, 1, 0], 1)], 0, torch.tensor([0]))
    assert batch.attention_mask.tolist() == [[1, 1, 1]] and batch.labels.tolist() == [[-100, 1, 0]]


@pytest.mark.parametrize("prompt", [0, 3, 4])
def test_rows_without_prompt_or_completion_are_refused_by_id(prompt):
    with pytest.raises(ValueError, match="row 'u1'"):
        collate([Row("u1", [1, 2, 3], prompt)], 0, [0])


def test_a_wrong_index_is_refused():
    with pytest.raises(ValueError, match="1 rows, 2 indices"):
        collate([Row("a", [1, 2], 1)], 0, [0, 1])
    with pytest.raises(ValueError, match="0 rows"):
        collate([], 0, [])
