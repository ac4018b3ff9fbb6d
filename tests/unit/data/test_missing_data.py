"""What is said where there are no data: which path is missing, and that an array is empty."""

from pathlib import Path

import pytest

from tailorlm.data.load import load
from tailorlm.data.problems import DataError


@pytest.mark.parametrize("split", [None, "train"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, split: str | None) -> None:
    with pytest.raises(DataError, match="LaMP_2M: no such file or folder") as error:
        load(tmp_path / "LaMP_2M", split=split)
    assert "split" not in str(error.value)


def test_an_empty_array_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "train_questions.json").write_text("[]")
    with pytest.raises(DataError, match="train_questions.json.*an empty array: there is no question in it"):
        load(tmp_path)
