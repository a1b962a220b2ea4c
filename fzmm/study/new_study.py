"""From a dataset to a study of it: data checked, subsets cut, configs written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fzmm.errors import UserError
from fzmm.study.data_amounts import DataAmount, data_amounts, group_notes, write_subsets
from fzmm.study.data_page.data_page import refuse_foreign_page, write_data_page
from fzmm.study.dataset.data_check import DataReport, check_data
from fzmm.study.dataset.image_check import Progress
from fzmm.study.dataset.study_data import study_data
from fzmm.study.study_configs import StudyConfigs, make_configs
from fzmm.study.study_detector import StudyDetector, fit_to_data, study_detector
from fzmm.study.study_options import StudyOptions
from fzmm.utils.files import write_file


@dataclass(frozen=True)
class Study:
    """A study that has been written.

    Attributes:
        report: What was found in the data.
        detector: What it trains.
        configs: Its config files.
        amounts: Its data amounts.
        notes: What a folder of data was taken for, and what groups did to the statistics.
        data_page: The page that shows the data.
    """

    report: DataReport
    detector: StudyDetector
    configs: StudyConfigs
    amounts: list[DataAmount]
    notes: list[str]
    data_page: Path

    @property
    def subsets(self) -> dict[str, Path]:
        """Annotation file of each data amount."""
        return {amount.name: amount.ann_file for amount in self.amounts}


def new_study(options: StudyOptions, progress: Progress | None = None) -> Study:
    """Check a dataset and write a study of it.

    The same call gives the same files; what is there already and would not change is left alone.

    Args:
        options: What the study is to be.
        progress: See ``check_data``.

    Raises:
        UserError: If the data, the detector or an option does not fit; nothing is written then.
    """
    data = study_data(options)
    options = data.options
    amounts = data_amounts(options)
    detector = study_detector(options)
    report = check_data(options, progress, data.converted)
    fit_to_data(detector, options, report)
    configs = make_configs(options, detector, report, amounts)

    if not options.force:
        _refuse_other_files(configs)
    data.refuse_other_files()
    refuse_foreign_page(options)
    data.write()
    write_subsets(options, amounts)
    for path, text in configs.files.items():
        write_file(path, text.encode())

    notes = [*data.notes, *group_notes(options, amounts)]
    page_notes = [*notes, *report.notes, *configs.notes]
    data_page = write_data_page(options, report, amounts, page_notes)
    return Study(report, detector, configs, amounts, notes, data_page)


def _refuse_other_files(configs: StudyConfigs) -> None:
    for path, text in configs.files.items():
        if path.exists() and path.read_bytes() != text.encode():
            raise UserError(f"{path}: is there already and differs; pass --force or another --name")
