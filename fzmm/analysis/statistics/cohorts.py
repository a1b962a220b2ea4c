"""Which runs may be compared and which are repeats of one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fzmm.analysis.reading.run import Run
from fzmm.analysis.statistics.learning_rates import RateChoice, at_best_rates, of_same_setup
from fzmm.analysis.statistics.training_sets import TrainingSet, is_complete, training_set_of


@dataclass
class Cohort:
    """Runs on one dataset with one model, initialisation and schedule: what may be compared.

    Attributes:
        label: One line that says what they have in common.
        runs: All of them.
        amounts: Their data amounts, the largest first.
        arm_names: Names of its arms, where it is a part of a cohort that has more.
        arms: The same by their keys.
        rate_choices: Where a study tries several learning rates, that of each training set and
            scenario, by its name.
        others: Its runs at other rates, and those that chose and are not compared.
    """

    label: str
    runs: list[Run]
    amounts: list[TrainingSet] = field(default_factory=list)
    arm_names: tuple[str, ...] | None = None
    rate_choices: dict[tuple[TrainingSet, str | None], RateChoice] = field(default_factory=dict)
    others: list[Run] = field(default_factory=list)

    def __post_init__(self):
        names = self.arm_names
        if names is None:
            names = sorted({run.arm for run in self.runs} - {None})
        self.arms = {self.unfrozen + 1 + place: name for place, name in enumerate(names)}
        self._keys = {name: key for key, name in self.arms.items()}
        self._cells: dict[tuple[TrainingSet, int | None], list[Run]] = {}
        for run in self.runs:
            self._cells.setdefault((training_set_of(run), self.key(run)), []).append(run)
        self.amounts = sorted({amount for amount, _ in self._cells}, key=_largest_first)
        counts = Counter(amount.name for amount in self.amounts)
        self._names = {
            amount: amount.name
            if counts[amount.name] == 1
            else f"{amount.name} ({(amount.identity or 'unknown file')[:8]})"
            for amount in self.amounts
        }

    @property
    def first(self) -> Run:
        """Any run, for what all of them share."""
        return self.runs[0]

    @property
    def levels(self) -> list[list[TrainingSet]]:
        """Data amounts of equal size together, the largest first."""
        levels: dict = {}
        for amount in self.amounts:
            levels.setdefault(amount.level, []).append(amount)
        return list(levels.values())

    @property
    def main_amounts(self) -> list[TrainingSet]:
        """One data amount for each size, the largest first: the one with the most finished runs.

        Subsets of one size are different datasets and are never averaged; where one must stand for
        its size, as in the thesis's Figures 10 to 16, it is this one.
        """
        return [max(level, key=lambda amount: len(self.at([amount]))) for level in self.levels]

    @property
    def smallest_and_largest(self) -> tuple[TrainingSet, TrainingSet] | None:
        """The smallest and the largest data amount with finished runs, if sizes differ."""
        sized = [a for a in self.main_amounts if self.at([a]) and a.level[0] != "name"]
        return (sized[-1], sized[0]) if len(sized) > 1 else None

    @property
    def complete_runs(self) -> list[Run]:
        """The finished runs."""
        return [run for run in self.runs if is_complete(run)]

    @property
    def scenarios(self) -> list[int]:
        """Numbers of trainable stages that have finished runs, ascending."""
        return sorted({run.trainable for run in self.complete_runs} - {None})

    @property
    def compared(self) -> list[int]:
        """Keys of all scenarios that have finished runs: trainable stages, then the arms."""
        return sorted({self.key(run) for run in self.complete_runs} - {None})

    def key(self, run: Run) -> int | None:
        """Return a run's scenario: its number of trainable stages, or the arm's key behind them.

        Arms stand behind the unfrozen scenario because they have more to set and, of two that do
        equally well, the plainer one is recommended.
        """
        return run.trainable if run.arm is None else self._keys[run.arm]

    def scenario_name(self, key: int) -> str:
        """Return what figures and tables call a scenario: ``3 (1)`` or the arm's name."""
        return self.arms.get(key) or f"{key} ({self.frozen_stages[key]})"

    def stages_name(self, key: int) -> str:
        """Return ``3 trainable`` or the arm's name."""
        return self.arms.get(key) or f"{key} trainable"

    @property
    def frozen_stages(self) -> dict[int, int]:
        """The backbone's own number of frozen stages by number of trainable stages."""
        return {run.trainable: run.frozen_stages for run in self.runs if run.trainable is not None}

    @property
    def unfrozen(self) -> int:
        """Number of trainable stages with nothing frozen."""
        return self.first.stages

    @property
    def has_stem(self) -> bool:
        """Whether the stem is a stage of its own, which ``frozen_stages=0`` alone freezes.

        Where no run froze just one stage it is taken to be, as in a ResNet.
        """
        return self.frozen_stages.get(self.unfrozen - 1, 0) == 0

    def shared_scenarios(self, amounts: Sequence[TrainingSet]) -> list[int]:
        """Return the scenarios that have finished runs on each of some data amounts."""
        return [k for k in self.scenarios if all(self.cell(amount, k) for amount in amounts)]

    def name(self, amount: TrainingSet) -> str:
        """Return a data amount's name, with its file's checksum where two have the same name."""
        return self._names[amount]

    def cell(self, amount: TrainingSet, trainable: int, finished: bool = True) -> list[Run]:
        """Return the repeats of one set-up.

        Args:
            amount: Data amount.
            trainable: Number of trainable stages, or an arm's key.
            finished: Leave out runs that are known to be unfinished or have no validation.
        """
        runs = self._cells.get((amount, trainable), [])
        return [run for run in runs if is_complete(run) or not finished]

    def cells(self, amount: TrainingSet) -> dict[int, list[Run]]:
        """Return the finished repeats on a data amount by number of trainable stages, if any."""
        return self._finished(amount, self.scenarios)

    def all_cells(self, amount: TrainingSet) -> dict[int, list[Run]]:
        """Return the same by the key of each scenario, the arms included."""
        return self._finished(amount, self.compared)

    def _finished(self, amount: TrainingSet, keys: Sequence[int]) -> dict[int, list[Run]]:
        cells = {k: self.cell(amount, k) for k in keys}
        return {k: runs for k, runs in cells.items() if runs}

    def of(self, amount: TrainingSet) -> list[Run]:
        """Return every run on a data amount, unfinished ones included."""
        return [run for run in self.runs if training_set_of(run) == amount]

    def rate_choice(self, amount: TrainingSet, key: int) -> RateChoice | None:
        """Return how the learning rate of a scenario was chosen; None where there is one rate."""
        runs = self._cells.get((amount, key), [])
        return self.rate_choices.get((amount, runs[0].scenario)) if runs else None

    def used_seeds(self, amount: TrainingSet, key: int) -> set[int | None]:
        """Return the seeds of a set-up, those of runs that are not compared among them."""
        runs = self._cells.get((amount, key), [])
        more = [run for run in self.others if runs and of_same_setup(run, runs[0])]
        return {run.seed for run in [*runs, *more]}

    def at(self, amounts: Sequence[TrainingSet]) -> list[Run]:
        """Return the finished runs on any of some data amounts."""
        return [run for run in self.complete_runs if training_set_of(run) in amounts]


def size_name(amount: TrainingSet) -> str:
    """Say how large a data amount is: ``25%``, ``29,572 images`` or its own name."""
    kind, value = amount.level
    if kind == "fraction":
        return f"{100 * value:.3g}%"
    return f"{value:,} images" if kind == "images" else str(value)


def cohorts(runs: list[Run]) -> list[Cohort]:
    """Sort runs into cohorts, the largest first.

    Where a study tries several learning rates, a cohort has each scenario at its own best one.
    """
    groups = _groups([run for run in runs if run.rate_search is None])
    searching = [run for run in runs if run.rate_search is not None]
    found = {id(run) for group in groups for run in searching if _looks_for(run, group[0])}
    groups += _groups([run for run in searching if id(run) not in found])
    result = [
        _cohort(group, [run for run in searching if _looks_for(run, group[0])]) for group in groups
    ]
    result.sort(key=lambda cohort: -len(cohort.runs))
    labels: dict[str, int] = {}
    for cohort in result:  # equal labels differ in a checksum; say so
        labels[cohort.label] = labels.get(cohort.label, 0) + 1
    for cohort in result:
        checksum = cohort.first.val.sha256
        if labels[cohort.label] > 1 and checksum:
            cohort.label += f" (validation file {checksum[:8]})"
    return result


def _groups(runs: list[Run]) -> list[list[Run]]:
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(_key(run), []).append(run)
    for key, members in list(groups.items()):
        # At one of several rates a run may diverge before it is ever evaluated: it has no metric.
        homes = [k for k in groups if k[:5] == key[:5] and k[5] is not None]
        if members[0].rate is not None and key[5] is None and homes:
            groups[homes[0]] += groups.pop(key)
    return list(groups.values())


def _cohort(members: list[Run], searching: list[Run]) -> Cohort:
    if members[0].rate is None:
        return Cohort(_label(members[0]), members)
    compared, choices = at_best_rates(members, searching)
    kept = {id(run) for run in compared}
    others = [run for run in [*members, *searching] if id(run) not in kept]
    several = len({run.rate for run in [*members, *searching]}) > 1
    label = _label(compared[0], several)
    return Cohort(label, compared, rate_choices=choices if several else {}, others=others)


def _key(run: Run) -> tuple:
    # A run with an unknown dataset or schedule is comparable with nothing but its own folder's.
    lonely = str(run.folder) if run.val.identity is None and run.dataset is None else None
    return (
        run.dataset,
        run.val.identity,
        run.model,
        run.initialisation,
        _comparable_schedule(run),
        run.metric,
        lonely,
    )


def _comparable_schedule(run: Run):
    """Return a run's schedule, without its rate where its study tries several."""
    if run.rate is None:
        return run.schedule
    rate = run.schedule.learning_rate
    scaled = None if rate is None else float(f"{rate / run.rate:.6g}")  # to the batch
    return replace(run.schedule, learning_rate=None), scaled


def _looks_for(search: Run, run: Run) -> bool:
    """Whether a shortened run looked for the rate of runs like this one."""
    whole, part = run.schedule.length, search.schedule.length
    if run.rate is None or search is run or None in (whole, part):
        return False
    same = all(
        getattr(search, name) == getattr(run, name)
        for name in ("dataset", "model", "initialisation")
    )
    of_length = abs(part - search.rate_search * whole) <= 1
    return same and of_length and search.val.identity == run.val.identity


def _label(run: Run, several_rates: bool = False) -> str:
    parts = [run.dataset or run.val.ann_file or f"unknown dataset ({run.folder})"]
    parts.append(run.model or "unknown model")
    if run.initialisation:
        start = "from scratch" if run.from_scratch else f"from {run.initialisation}"
        parts.append(start)
    if several_rates:
        parts.append(str(replace(run.schedule, learning_rate=None)))
        parts.append("each scenario at its own learning rate")
    else:
        parts.append(str(run.schedule))
    return " · ".join(parts)


def _largest_first(amount: TrainingSet):
    return (
        -(amount.fraction if amount.fraction is not None else -1),
        -(amount.images if amount.images is not None else -1),
        amount.name,
        amount.identity or "",
    )
