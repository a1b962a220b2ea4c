"""The thesis's five findings, each tested on the runs at hand by one function."""

from __future__ import annotations

from collections.abc import Sequence

from fzmm.analysis.conclusions.findings.claims import Finding
from fzmm.analysis.conclusions.findings.decay import decay
from fzmm.analysis.conclusions.findings.overtraining import overtraining
from fzmm.analysis.conclusions.findings.scratch import scratch
from fzmm.analysis.conclusions.findings.training_time import training_time
from fzmm.analysis.conclusions.findings.unfreezing import unfreezing
from fzmm.analysis.statistics.cohorts import Cohort


def findings(cohort: Cohort, other_cohorts: Sequence[Cohort] = ()) -> list[Finding]:
    """Test the five findings.

    Args:
        cohort: Comparable runs.
        other_cohorts: Further cohorts, where runs from scratch are looked for.
    """
    return [
        overtraining(cohort),
        unfreezing(cohort),
        training_time(cohort),
        decay(cohort),
        scratch(cohort, other_cohorts),
    ]
