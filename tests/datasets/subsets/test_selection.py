import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from fzmm.datasets.coco import read_annotations
from fzmm.datasets.subsets.make_subsets import select, select_image_ids
from fzmm.datasets.subsets.plan import DEFAULT_DISJOINT, DEFAULT_SUBSETS, make_plan
from fzmm.datasets.subsets.search import selection
from fzmm.datasets.subsets.strata import AnnotationTable, Strata, count_strata, tabulate

BCCD = Path(__file__).parents[3] / "../shared/data/bccd/annotations/instances_train.json"


def random_table(images: int, classes: int, annotations: int, seed: int = 0) -> AnnotationTable:
    """Draw annotations whose classes are unequally frequent and occur together."""
    rng = np.random.default_rng(seed)
    image = np.sort(rng.integers(0, images, annotations) * rng.integers(0, 2, annotations))
    image = np.sort(np.where(image == 0, rng.integers(0, images, annotations), image))
    category = np.minimum(rng.zipf(1.6, annotations) - 1 + image % 3, classes - 1)
    return AnnotationTable(
        image=image,
        category=category,
        area_range=rng.integers(0, 3, annotations),
        crowd=rng.random(annotations) < 0.02,
        degenerate=np.zeros(annotations, bool),
        num_images=images,
        classes=[f"class {index}" for index in range(classes)],
    )


def largest_deviations(strata: Strata, inside: np.ndarray, fraction: float) -> dict[str, float]:
    counts = strata.counts.T @ inside.astype(int)
    off = np.abs(counts - fraction * strata.totals)
    kinds = np.array(strata.kinds)
    return {kind: float(off[kinds == kind].max()) for kind in dict.fromkeys(strata.kinds)}


def test_the_default_plan_reaches_the_rounding_limit():
    table = random_table(images=6000, classes=20, annotations=30_000)
    strata = count_strata(table)
    plan = make_plan(DEFAULT_SUBSETS, table.num_images, DEFAULT_DISJOINT)
    chosen = select(strata, plan)
    assert chosen.sum(axis=0).tolist() == [3000, 1500, 1500, 1500]
    assert chosen[:, 1:].sum(axis=1).max() == 1
    for index, subset in enumerate(plan.subsets):
        off = largest_deviations(strata, chosen[:, index], float(subset.fraction))
        assert off["class"] <= 0.5
        assert off["area"] < 1
        assert off["crowd"] <= 0.5
        assert off["empty"] <= 0.5


@pytest.mark.parametrize("fraction", ["0.1", "0.333", "0.7"])
def test_every_class_gets_the_nearest_whole_number(fraction):
    table = random_table(images=3000, classes=8, annotations=12_000)
    strata = count_strata(table, ["classes"])
    plan = make_plan([f"a={fraction}"], table.num_images)
    counts = strata.counts.T @ select(strata, plan)[:, 0].astype(int)
    for count, total, kind in zip(counts, strata.totals, strata.kinds, strict=True):
        if kind == "class":
            assert abs(count - plan.subsets[0].fraction * int(total)) <= Fraction(1, 2)


def test_the_seed_chooses_and_nothing_else_does():
    strata = count_strata(random_table(images=500, classes=10, annotations=2000))
    plan = make_plan(["a=0.3", "b=0.2"], 500, disjoint=["a,b"])
    first = select(strata, plan, seed=1)
    assert (select(strata, plan, seed=1) == first).all()
    assert (select(strata, plan, seed=2) != first).any()


def test_the_number_of_threads_changes_nothing():
    code = (
        "import hashlib, sys; sys.path[:0] = ['tests/datasets/subsets', '.'];"
        "import test_selection as t;"
        "s = t.count_strata(t.random_table(8_000, 20, 30_000));"
        "p = t.make_plan(t.DEFAULT_SUBSETS, 8_000, t.DEFAULT_DISJOINT);"
        "print(hashlib.sha256(t.select(s, p).tobytes()).hexdigest())"
    )
    root = Path(__file__).parents[3]
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.skipif(not BCCD.exists(), reason="the BCCD data set is not beside the repository")
def test_small_real_data_reaches_the_rounding_limit():
    strata = count_strata(tabulate(read_annotations(BCCD)))
    plan = make_plan(DEFAULT_SUBSETS, 205, DEFAULT_DISJOINT)
    chosen = select(strata, plan)
    for index, subset in enumerate(plan.subsets):
        off = largest_deviations(strata, chosen[:, index], float(subset.fraction))
        assert off["class"] <= 0.5
        assert off["area"] < 1


def test_twenty_images_of_eighty_classes_get_better_than_random():
    table = random_table(images=20, classes=80, annotations=160)
    strata = count_strata(table)
    plan = make_plan(["a=0.5"], 20)
    chosen = select(strata, plan)[:, 0]
    rng = np.random.default_rng(0)

    def cost(inside: np.ndarray) -> float:
        return float(((strata.counts.T @ inside.astype(int) - 0.5 * strata.totals) ** 2).sum())

    drawn = [cost(rng.permutation(20) < 10) for _ in range(300)]
    assert chosen.sum() == 10
    assert cost(chosen) <= min(drawn)


def test_a_class_in_a_single_image_is_no_obstacle():
    counts = sparse.csr_matrix(np.eye(8, dtype=np.int64) * 5)
    names = [f"class {index}" for index in range(8)]
    strata = Strata(counts, ["class"] * 8, names, np.arange(8))
    chosen = select(strata, make_plan(["a=0.5", "b=0.5"], 8, disjoint=["a,b"]))
    assert chosen.sum(axis=0).tolist() == [4, 4]
    assert (chosen.sum(axis=1) == 1).all()


@st.composite
def sizes(draw) -> tuple[int, int, int, int]:
    images = draw(st.integers(2, 40))
    outer = draw(st.integers(2, images))
    return images, outer, draw(st.integers(1, outer)), draw(st.integers(0, images - outer))


@settings(max_examples=40, deadline=None)
@given(
    shape=sizes(),
    classes=st.integers(1, 12),
    annotations=st.integers(0, 120),
    seed=st.integers(0, 2**40),
)
def test_sizes_disjointness_and_nesting_hold_for_any_plan(shape, classes, annotations, seed):
    images, outer, inner, other = shape
    strata = count_strata(random_table(images, classes, annotations, seed))

    def amount(number: int) -> str:
        # "1" would be all images; rounding the fraction up could make a sum of fractions exceed 1.
        return str(number) if number > 1 else f"{1 / images - 1e-9:.12f}"

    subsets = [f"outer={amount(outer)}", f"inner={amount(inner)}"]
    disjoint = []
    if other:
        subsets.append(f"other={amount(other)}")
        disjoint = ["outer,other"]
    plan = make_plan(subsets, images, disjoint=disjoint, nested=["outer,inner"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_PATIENCE", 30)  # how good the choice is does not matter here
        chosen = select(strata, plan, seed)
    assert chosen.sum(axis=0).tolist() == [outer, inner, *([other] if other else [])]
    assert not (chosen[:, 1] & ~chosen[:, 0]).any()
    if other:
        assert not (chosen[:, 2] & chosen[:, 0]).any()


def test_a_sample_of_image_ids_is_stratified_and_in_the_files_order():
    images = [{"id": 1000 - index} for index in range(60)]
    annotations = [
        {"id": index, "image_id": 1000 - index, "category_id": index % 3, "bbox": [0, 0, 9, 9]}
        for index in range(60)
    ]
    categories = [{"id": index, "name": str(index)} for index in range(3)]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    ids = select_image_ids(coco, 30)
    assert ids == sorted(ids, reverse=True)
    assert np.bincount([(1000 - number) % 3 for number in ids]).tolist() == [10, 10, 10]
    assert select_image_ids(coco, 30) == ids
    assert select_image_ids(coco, 60) == select_image_ids(coco, 999) == [i["id"] for i in images]
    assert len(select_image_ids(coco, 1)) == 1
    with pytest.raises(ValueError, match="at least 1"):
        select_image_ids(coco, 0)
