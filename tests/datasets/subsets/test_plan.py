from fractions import Fraction

import pytest

from fzmm.datasets.subsets.plan import (
    DEFAULT_DISJOINT,
    DEFAULT_SUBSETS,
    cells_of,
    make_plan,
    parse_subset,
)
from fzmm.errors import UserError


def test_the_default_plan_has_the_sizes_of_the_thesis():
    plan = make_plan(DEFAULT_SUBSETS, 118_287, DEFAULT_DISJOINT)
    sizes = {subset.name: subset.num_images for subset in plan.subsets}
    assert sizes == {"coco50": 59_144, "coco25-1": 29_572, "coco25-2": 29_572, "coco25-3": 29_572}
    assert plan.components() == [[0], [1, 2, 3]]


@pytest.mark.parametrize(
    ("text", "images", "fraction"),
    [
        ("a=0.1", 10, Fraction(1, 10)),
        ("a=25", 25, Fraction(25, 100)),
        ("a=1", 100, Fraction(1)),
        ("a=1.0", 100, Fraction(1)),
        ("a=1e-2", 1, Fraction(1, 100)),
        ("ä b=0.125", 12, Fraction(1, 8)),
    ],
)
def test_an_amount_is_a_fraction_up_to_one_and_a_number_of_images_above(text, images, fraction):
    subset = parse_subset(text, 100)
    assert (subset.num_images, subset.fraction) == (images, fraction)


@pytest.mark.parametrize(
    "amount", ["0", "-0.5", "1.5", "101", "x", "", "nan", "inf", "1/2", "1e999", "1e-30", "9" * 30]
)
def test_other_amounts_are_refused(amount):
    with pytest.raises(UserError, match=f"--subset a={amount}"):
        parse_subset(f"a={amount}", 100)


@pytest.mark.parametrize(
    "name",
    ["", "..", "a/b", "a\\b", "/etc/x", "a,b", ".hidden", "-x", "summary", " a", "a\n", "a\udcff"]
    + ["日" * 70],
)
def test_other_names_are_refused(name):
    with pytest.raises(UserError, match="--subset"):
        parse_subset(f"{name}=0.5", 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"disjoint": ["a,nobody"]}, "'nobody' is no subset"),
        ({"disjoint": ["a"]}, "at least two"),
        ({"nested": ["a,a"]}, "at least two"),
        ({"nested": ["c,a"]}, "name the larger first"),
        ({"disjoint": ["a,b"]}, "sum to 1.1"),
    ],
)
def test_groups_that_cannot_be_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        make_plan(["a=0.6", "b=0.5", "c=0.25"], 100, **options)


def test_a_sum_of_fractions_hardly_above_one_is_not_called_one():
    with pytest.raises(UserError, match=r"sum to 1\.0000002, above 1"):
        make_plan([f"{name}=0.3333334" for name in "abc"], 100, disjoint=["a,b,c"])


def test_conditions_that_contradict_each_other_are_refused():
    plan = make_plan(["a=0.5", "b=0.25"], 100, disjoint=["a,b"], nested=["a,b"])
    with pytest.raises(UserError, match="a, b of these sizes cannot all be made"):
        cells_of(plan, [0, 1], 100)


def test_cells_have_the_sizes_asked_for_in_a_tangle_of_conditions():
    subsets = ["a=0.5", "b=0.2", "c=0.4", "d=0.1", "e=0.05"]
    plan = make_plan(subsets, 1000, disjoint=["a,c", "b,e"], nested=["a,b,d", "a,e"])
    assert plan.components() == [[0, 1, 2, 3, 4]]
    member, sizes = cells_of(plan, [0, 1, 2, 3, 4], 1000)
    assert sum(sizes) == 1000
    assert (member.T @ sizes).tolist() == [500, 200, 400, 100, 50]
    used = member[[index for index, size in enumerate(sizes) if size]]
    assert not (used[:, 0] & used[:, 2]).any()
    assert not (used[:, 1] & used[:, 4]).any()
    assert not (used[:, 1] & ~used[:, 0]).any()
    assert not (used[:, 3] & ~used[:, 1]).any()


def test_subsets_of_one_set_overlap_as_independent_draws_would():
    subsets = ["half=0.5", "a=0.25", "b=0.25", "c=0.25"]
    plan = make_plan(subsets, 1001, nested=["half,a", "half,b", "half,c"])
    member, sizes = cells_of(plan, [0, 1, 2, 3], 1001)
    assert (member.T @ sizes).tolist() == [500, 250, 250, 250]
    overlap = member.T.astype(int) @ (member * [[size] for size in sizes])
    assert overlap[1, 2] == pytest.approx(125, abs=3)
    assert overlap[1, 3] == pytest.approx(125, abs=3)
    assert overlap[2, 3] == pytest.approx(125, abs=3)
