"""The averages that the papers print, from the scores that they print: what is averaged, and in which units.

Numbers are those of P2P table 1 and of PRISP tables 2 and 3; they are rounded to three places there.
"""

import pytest

from tailorlm.metrics.averages import averages, composite_average

# Columns: LaMP-1 Acc F1, 2N Acc F1, 2M Acc F1, 3 MAE RMSE, then R-1 R-L of LaMP-4, 5, 7, LongLaMP-1, 2, 3.
P2P_TABLE_1 = {
    "base": "519 516 653 679 345 292 452 801 121 108 465 404 376 324 267 155 283 129 212 121",
    "OPPU": "531 531 781 782 391 359 281 617 167 148 468 422 353 305 341 195 208 115 266 143",
    "P2P": "583 580 716 711 442 408 383 670 160 145 490 431 442 437 314 177 284 135 247 137",
}
P2P_AVERAGES = {"base": (505, 496, 287, 207), "OPPU": (568, 557, 301, 221), "P2P": (580, 566, 322, 244)}
# Columns: LaMP-1 Acc F1, 2 Acc F1, 3 MAE RMSE, then R-1 R-L of LaMP-4, 5, 7.
PRISP_TABLE_2 = {
    "NP": ("448 409 84 49 464 844 132 114 435 361 441 395", 297),
    "RAG": ("456 337 333 224 430 841 129 113 434 374 447 397", 331),
    "PAG": ("488 404 284 172 577 1040 135 116 298 248 381 346", 271),
    "OPPU": ("472 464 373 245 410 791 138 121 441 379 437 391", 355),
    "PRISP": ("520 474 428 305 339 697 138 122 417 363 420 382", 378),
}


def tasks(row: str, kinds: str) -> dict[str, dict[str, float]]:
    names = {"c": ("accuracy", "f1_macro"), "r": ("mae", "rmse"), "g": ("rouge1", "rougeL")}
    numbers = iter(float(number) / 1000 for number in row.split())
    found = {f"task {n}": {name: next(numbers) for name in names[kind]} for n, kind in enumerate(kinds)}
    return {task: scores | {"f1_weighted": scores.get("f1_macro", 0.0)} for task, scores in found.items()}


@pytest.mark.parametrize("method", P2P_TABLE_1)
def test_p2p_averages_each_metric_over_the_tasks_of_a_kind(method: str) -> None:
    found = averages(tasks(P2P_TABLE_1[method], "cccrgggggg"))
    said = [
        found["classification"]["accuracy"],
        found["classification"]["f1_weighted"],
        found["generation"]["rouge1"],
        found["generation"]["rougeL"],
    ]
    assert said == pytest.approx([number / 1000 for number in P2P_AVERAGES[method]], abs=0.0011)


@pytest.mark.parametrize("method", PRISP_TABLE_2)
def test_prisp_averages_composites_with_errors_in_stars(method: str) -> None:
    row, average = PRISP_TABLE_2[method]
    assert composite_average(tasks(row, "ccrggg")) == pytest.approx(average / 1000, abs=0.0006)
    # The negative control: errors as shares of the scale give another average.
    numbers = row.split()
    scaled = [str(int(n) / 4) if place in (4, 5) else n for place, n in enumerate(numbers)]
    assert composite_average(tasks(" ".join(scaled), "ccrggg")) != pytest.approx(average / 1000, abs=0.01)
