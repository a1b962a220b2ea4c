"""Writes the page of a dataset as a new study does, but without a detector and its seconds."""

from fzmm.study.data_amounts import data_amounts, write_subsets
from fzmm.study.data_page.data_page import refuse_foreign_page, write_data_page
from fzmm.study.dataset.data_check import check_data
from fzmm.study.study_options import StudyOptions


def make_page(data, folder, fractions=(1,), **options):
    """Check four paths, cut subsets into a folder and write the page there."""
    options = StudyOptions("mine", **data, data_dir=folder, fractions=fractions, **options)
    report, amounts = check_data(options), data_amounts(options)
    write_subsets(options, amounts)
    refuse_foreign_page(options)
    return write_data_page(options, report, amounts, report.notes)
