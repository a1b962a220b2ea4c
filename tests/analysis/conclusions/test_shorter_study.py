import pytest

from fzmm.analysis.conclusions.shorter_study import shorter_studies
from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.words import words
from fzmm.analysis.statistics.cohorts import cohorts
from tests.analysis import synthetic

STEPS = [synthetic.LENGTH * i // 8 for i in range(1, 9)]
# frozen leads up to the third of eight evaluations, one trainable stage up to the fifth
EARLY = [0.200, 0.210, 0.220, 0.221, 0.222, 0.222, 0.222, 0.222]
MIDDLE = [0.190, 0.205, 0.215, 0.240, 0.250, 0.251, 0.251, 0.251]
LATE = [0.100, 0.150, 0.200, 0.230, 0.245, 0.280, 0.300, 0.301]
ALL = {0: EARLY, 1: MIDDLE, 5: LATE}


def write(root, seeds=2, curves=ALL, apart=1e-4, milestones=synthetic.DECAYS):
    for k, values in curves.items():
        for seed in range(seeds):
            curve = [value + apart * seed for value in values]
            synthetic.write_run(
                root, "coco50", k, seed, evaluations=(STEPS, curve, curve), milestones=milestones
            )
    return root


def shorter(root):
    return shorter_studies(cohorts(read_runs(root))[0], margin=0.004)


def test_half_and_a_quarter_of_the_schedule_answer_otherwise(tmp_path):
    (study,) = shorter(write(tmp_path))
    half, quarter = study.parts
    assert study.trainable == 5
    assert (half.trainable, half.until) == (1, STEPS[3])
    assert half.lost == pytest.approx(0.301 - 0.251)
    assert (quarter.trainable, quarter.until) == (0, STEPS[1])
    assert quarter.lost == pytest.approx(0.301 - 0.222)
    assert not half.decayed and not quarter.decayed  # the first decay is at 61.5%


def test_it_says_from_when_on_the_order_stands(tmp_path):
    (study,) = shorter(write(tmp_path))
    assert study.choice_from == study.leader_from == study.order_from == STEPS[5]
    same = dict.fromkeys((0, 1), LATE) | {5: [value + 0.01 for value in LATE]}
    (study,) = shorter(write(tmp_path / "same", curves=same))
    assert study.choice_from == study.order_from == STEPS[0] and study.parts[1].trainable == 5


def test_one_seed_is_asked_in_every_way(tmp_path):
    (study,) = shorter(write(tmp_path))
    assert (study.one_seed.ways, study.one_seed.same, study.one_seed.within) == (8, 1.0, 1.0)
    # second seeds are 5 pp higher: one of one stage beats a first seed of five stages by 0.1 pp
    curves = {1: MIDDLE, 5: LATE}
    (study,) = shorter(write(tmp_path / "far", curves=curves, apart=0.0501))
    assert study.one_seed.ways == 4 and study.one_seed.same == study.one_seed.within == 0.75


def test_one_run_of_each_cannot_say_what_another_would(tmp_path):
    (study,) = shorter(write(tmp_path, seeds=1))
    assert study.one_seed is None
    assert "what another would have said is unknown" in words("shorter_words").sentence(study)


def test_a_run_that_was_stopped_early_keeps_its_best(tmp_path):
    root = write(tmp_path, curves={1: MIDDLE, 5: LATE})
    short = (STEPS[:5], MIDDLE[:5], MIDDLE[:5])
    synthetic.write_run(root, "coco50", 0, 0, evaluations=short)
    (study,) = shorter(root)
    assert study.last == STEPS[-1] and study.trainable == 5
    assert study.order_from == STEPS[5]


def test_its_sentence(tmp_path):
    (study,) = shorter(write(tmp_path, milestones=(STEPS[0], STEPS[2])))
    sentence = words("shorter_words").sentence(study)
    assert sentence == (
        f"Half of the schedule (to iteration {STEPS[3]:,}) gives frozen_stages=3 (1 of 5 "
        f"trainable), which loses 5.0 pp; a quarter of the schedule (to iteration {STEPS[1]:,}) "
        "gives frozen_stages=4 (0 of 5 trainable), which loses 7.9 pp. One run of each scenario "
        "gives the same answer in 100% of 8 ways to pick them, and loses less than 0.4 pp in 100%. "
        f"Of {STEPS[7]:,} iterations, the answer stands from {STEPS[5]:,} on, the highest scenario "
        f"from {STEPS[5]:,} on, the order of all 3 from {STEPS[5]:,} on. The last evaluation is "
        "the best of 2 of 6 runs, and adds at most 0.1 pp."
    )
    assert all(part.decayed for part in study.parts)


def test_what_the_last_evaluation_adds(tmp_path):
    (study,) = shorter(write(tmp_path, curves={1: MIDDLE, 5: LATE}))
    assert study.gains_at_end == pytest.approx((0.001, 0.001))  # of LATE, by both seeds
    assert "best of 2 of 4 runs, and adds at most 0.1 pp" in words("shorter_words").sentence(study)
    (study,) = shorter(write(tmp_path / "even", curves={0: EARLY, 1: MIDDLE}))
    assert study.gains_at_end == ()
    assert (
        words("shorter_words")
        .sentence(study)
        .endswith("Every run was best before its last evaluation.")
    )


def test_one_scenario_has_nothing_to_shorten(tmp_path):
    assert shorter(write(tmp_path, curves={5: LATE})) == []
