"""Finding each scenario's learning rate, by one shortened run at every rate, before repeats.

The rate is looked for once for every size of data, with the first seed: what suits a scenario may
depend on how much it sees, hardly on which of several subsets of one size. The whole schedule is
shortened, its decays included, since rates that are too high look good for as long as none decays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.reading.run import Run
from fzmm.analysis.report.formats import map_
from fzmm.analysis.statistics.learning_rates import (
    RateTrial,
    best_of,
    beyond,
    edge_of,
    in_order,
)
from fzmm.errors import UserError
from fzmm.provenance import read_provenance, tells_divergence
from fzmm.sweep.config_facts import ConfigFacts, read_all_facts
from fzmm.sweep.options import RATE_BUDGET, SweepOptions
from fzmm.sweep.planned_run import PlannedRun, run_of, search_run_of
from fzmm.sweep.run_dir.state import State, read_status

_MARK = "study.rate_search"  # by which a report knows these runs

Size = tuple[object, object]  # of data, and scenario


@dataclass(frozen=True)
class FoundRate:
    """What came of the search for one scenario on one size of data.

    Attributes:
        name: Config of the set-up that was searched, without the rate.
        trials: What came of each rate, the best first; those that diverged last.
    """

    name: str
    trials: list[RateTrial]

    @property
    def rates(self) -> list[float]:
        """The rates that are fit for use, the best first."""
        return [trial.rate for trial in self.trials if not trial.diverged]

    @property
    def reason(self) -> str:
        """What was found, in a few words."""
        tried = [f"{trial.rate:g} {_result(trial)}" for trial in self.trials]
        return f"rate {tried[0]}" + (f" ({', '.join(tried[1:])})" if tried[1:] else "")

    @property
    def advice(self) -> str:
        """What to try where the best rate lies at the edge, or all diverged; empty for nothing."""
        tried = [trial.rate for trial in self.trials]
        if not self.rates:
            return f"every rate diverged: try one below {min(tried):g}"
        edge = edge_of(self.rates[0], tried)
        further = beyond(self.rates[0], tried)
        return f"its best rate is the {edge} tried: try {further:g}" if edge else ""


@dataclass
class RateSearch:
    """The learning rates of a sweep's configs.

    Attributes:
        options: The sweep's.
        share: Of the schedule, for the runs that look for a rate. With 1 they are the first seed's
            whole runs, in their own directories, and count.
    """

    options: SweepOptions
    share: float = RATE_BUDGET
    _searched: dict[Size, dict[float, PlannedRun]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UserError(f"--rate-budget {self.share:g}: a share above 0 and at most 1")
        configs = list(dict.fromkeys(run.config for run in self.options.plan()))
        self.facts = read_all_facts([run_of(config, 0, "") for config in configs])
        self._searched = {}
        run = run_of if self.share == 1 else search_run_of
        for size, amounts in self._set_ups().items():
            rates = max(amounts.values(), key=len)  # of equal ones the first
            if len(rates) > 1:
                seed, root = self.options.seeds[0], self.options.root
                self._searched[size] = {
                    rate: replace(run(config, seed, root), reason=f"1 of {len(rates)} rates")
                    for rate, config in rates.items()
                }

    @property
    def runs(self) -> list[PlannedRun]:
        """The runs that look for rates."""
        return [run for rates in self._searched.values() for run in rates.values()]

    @property
    def open_runs(self) -> list[PlannedRun]:
        """Those of them that have not diverged: what has would diverge again."""
        return [run for run in self.runs if not has_diverged(run.work_dir)]

    @property
    def run_options(self) -> SweepOptions:
        """The options with which they are trained."""
        if self.share == 1:
            return self.options
        budget = self.options.budget * self.share
        arguments = _with_mark(self.options.arguments, f"{_MARK}={self.share:g}")
        return replace(self.options, budget=budget, arguments=arguments)

    @property
    def finished(self) -> bool:
        """Whether each of them has ended, at its end or because it diverged."""
        return all(read_status(run).state is State.DONE for run in self.open_runs)

    def found(self) -> dict[Size, FoundRate]:
        """Return what came of the scenarios whose runs have all ended."""
        return {
            size: FoundRate(_name(rates), in_order(self._trial(size, rate) for rate in rates))
            for size, rates in self._searched.items()
            if all(
                has_diverged(run.work_dir) or read_status(run).state is State.DONE
                for run in rates.values()
            )
        }

    def chosen(self) -> dict[Path, str]:
        """Return the configs to train in full, each with the reason; empty where none is needed.

        Of a set-up with one rate that is its config; of one with several that of the best rate.
        What is still being looked for is left out, and so is what diverges at every rate.
        """
        found, chosen = self.found(), {}
        for size, amounts in self._set_ups().items():
            for rates in amounts.values():
                if size not in self._searched:
                    chosen |= dict.fromkeys(rates.values(), "")
                elif size in found:
                    best = next((rate for rate in found[size].rates if rate in rates), None)
                    chosen |= {rates[best]: found[size].reason} if best is not None else {}
        return {config: chosen[config] for config in self.facts if config in chosen}

    def stand_ins(self) -> list[PlannedRun]:
        """Return the whole runs to come, at the lowest rate where it has not been found yet."""
        set_ups = [rates for amounts in self._set_ups().values() for rates in amounts.values()]
        configs = [next(iter(rates.values())) for rates in set_ups]
        seeds = dict.fromkeys(self.options.seeds)
        return [run_of(config, seed, self.options.root) for seed in seeds for config in configs]

    def lost(self) -> list[PlannedRun]:
        """Return the runs that looked for a rate of scenarios that diverge at every one."""
        gone = [size for size, one in self.found().items() if not one.rates]
        return [run for size in gone for run in self._searched[size].values()]

    def _set_ups(self) -> dict[Size, dict[object, dict[float | None, Path]]]:
        """Return the configs by size of data and scenario, data amount, and rate, ascending."""
        set_ups: dict = {}
        for config, facts in sorted(self.facts.items(), key=lambda entry: _rate(entry[1]) or 0):
            study = facts.study
            amount = study.get("data_amount")
            if _rate(facts) is None:  # of no study that tries several: a set-up of its own
                set_ups[config, None] = {amount: {None: config}}
                continue
            scenario = study.get("arm"), facts.frozen_stages
            size = (config.parent, study.get("fraction", amount)), scenario
            set_ups.setdefault(size, {}).setdefault(amount, {})[_rate(facts)] = config
        return {
            size: dict(sorted(amounts.items(), key=_first)) for size, amounts in set_ups.items()
        }

    def _trial(self, size: Size, rate: float) -> RateTrial:
        run = self._searched[size][rate]
        whole = [rates[rate] for rates in self._set_ups()[size].values() if rate in rates]
        folders = [path for config in whole for path in self._whole_runs(config)]
        if has_diverged(run.work_dir) or any(map(has_diverged, folders)):
            return RateTrial(rate, None, True)
        return RateTrial(rate, best_of(_runs_in(run.work_dir)), False)

    def _whole_runs(self, config: Path) -> list[Path]:
        return sorted(Path(self.options.root, config.stem).glob("seed*"))


def has_diverged(work_dir: Path) -> bool:
    """Whether the run in a directory ended because its loss was no number any more."""
    record = read_provenance(work_dir) or {}
    return record.get("finished") is False and tells_divergence(record.get("stop_reason"))


def _rate(facts: ConfigFacts) -> float | None:
    rate = facts.study.get("rate")
    return float(rate) if isinstance(rate, int | float) else None


def _name(rates: dict[float, PlannedRun]) -> str:
    return next(iter(rates.values())).config.stem.rpartition("_")[0]


def _first(entry: tuple) -> str:
    return str(entry[0])


def _result(trial: RateTrial) -> str:
    return "diverged" if trial.diverged else map_(trial.best_map)


def _runs_in(work_dir: Path) -> Sequence[Run]:
    try:
        return read_runs(work_dir)
    except UserError:  # finished, and its log is gone
        return []


def _with_mark(arguments: Sequence[str], mark: str) -> list[str]:
    """Add an entry to the arguments' ``--cfg-options``, of which the last alone would count."""
    words = list(arguments)
    if "--cfg-options" in words:
        place = words.index("--cfg-options") + 1
        return [*words[:place], mark, *words[place:]]
    return [*words, "--cfg-options", mark]
