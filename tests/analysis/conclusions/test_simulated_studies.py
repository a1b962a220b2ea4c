"""The three promises that matter most, on a small sample of the studies of benchmarks/."""

import argparse
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
SIGMA = 0.003


@pytest.fixture
def advice(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import advice

    return advice


def simulate(advice, function, shapes, *arguments, studies):
    args = argparse.Namespace(studies=studies, seed=0)
    results = [function(shape, *arguments, args) for shape in shapes]
    return {key: sum(result[key] for result in results) / len(results) for key in results[0]}


def test_it_is_seldom_wrong_and_hardly_ever_where_it_says_that_it_is_sure(advice):
    result = simulate(advice, advice.fixed_seeds, advice.SHAPES, SIGMA, 3, studies=60)
    assert result["wrong"] <= 0.20
    assert result["wrong_though_decided"] <= 0.08 and result["decided"] > 0.3
    assert result["wrong_though_shown"] <= 0.01


def test_the_next_runs_decide_with_few_of_them(advice):
    result = simulate(advice, advice.until_decided, advice.SHAPES, SIGMA, studies=12)
    assert result["wrong"] <= 0.14 and result["runs"] <= 65 and result["decided"] > 0.85


def test_an_answer_costs_a_third_of_what_fixed_seeds_cost_and_the_parts_multiply(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import answer_cost
    from _answer_truths import simulated

    seconds = {"stock fp32": {-1: 1.2, 4: 1.0}, "fzmm fp32": {-1: 0.6, 4: 0.5}}
    prices = answer_cost.Prices(seconds, seconds)
    truths = [simulated(shape, SIGMA) for shape in ("thesis", "saturating", "flat")]
    args = argparse.Namespace(studies=12, seed=0)
    result = answer_cost.compare([answer_cost.measure(one, prices, args) for one in truths])
    assert result["stock_is_as_seldom_wrong"] and result["stock_seeds"] > 3
    assert result["share"] == pytest.approx(result["share_with_stop"] / 2)
    assert result["share"] < result["share_with_stop"] < result["share_by_runs"] <= 2 / 3
    assert result["share"] <= 1 / 3


def test_a_claim_at_its_edge_seldom_holds(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import false_findings

    args, verdicts = argparse.Namespace(studies=12, seed=0), Counter()
    for key in ("most_by_three", "rises", "stem_is_lost"):
        finding, truth = false_findings.claims()[key]
        verdicts[key] = false_findings.false_holds(key, finding, truth, 3, args)["holds"]
        right = false_findings.false_holds(key, finding, false_findings.thesis_truth(), 3, args)
        assert right["holds"] > 0.5, key
    assert sum(verdicts.values()) / len(verdicts) <= 0.05
