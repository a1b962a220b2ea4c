import numpy as np
import pytest
from matplotlib import image

from fzmm.datasets.subsets.figures import draw_class_shares, draw_instances


@pytest.mark.parametrize("draw", [draw_instances, draw_class_shares])
@pytest.mark.parametrize(
    ("classes", "subsets"), [(1, 1), (80, 4), (300, 9), (2, 0)], ids=lambda value: str(value)
)
def test_any_number_of_classes_and_subsets_gives_a_figure(tmp_path, draw, classes, subsets):
    names = [f"$class_{index}^ <b>日 " * (1 + index % 3) for index in range(classes)]
    full = np.arange(classes)[::-1] ** 2
    path = tmp_path / "a.png"
    draw(path, names, full, {f"_part $^{index}": full // (index + 2) for index in range(subsets)})
    height, width = image.imread(path).shape[:2]
    assert width > 1000
    assert 300 < height < 4000


def test_the_same_counts_give_the_same_bytes(tmp_path):
    for name in "ab":
        draw_class_shares(tmp_path / name, ["x", "y"], np.array([5, 3]), {"half": np.array([2, 2])})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
