"""The report links to the page that new-study wrote of the data, and to no other."""

from fzmm.analysis.reading.read_runs import read_runs
from fzmm.analysis.report.links import data_page_url
from fzmm.analysis.report.write_report import write_report
from fzmm.analysis.statistics.cohorts import cohorts
from fzmm.utils.pages import html_pages
from tests.analysis import synthetic


def write_page(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html_pages(path.parent).get_template("base.html").render())


def test_the_report_links_to_the_page_of_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthetic.write_run(tmp_path / "runs")
    write_page(tmp_path / "data/coco/data.html")
    page = write_report("runs", "reports/a folder/out")
    assert '<a href="../../../data/coco/data.html">its data</a>' in page.read_text()


def test_the_page_is_found_beside_the_subsets_and_no_other_file_is_linked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthetic.write_run(tmp_path / "runs")
    (cohort,) = cohorts(read_runs(["runs"], []))
    assert data_page_url(cohort, tmp_path / "out") is None
    beside = tmp_path / "data/coco/annotations/data.html"  # where the run's training file is
    beside.parent.mkdir(parents=True)
    beside.write_text("<html>somebody's own</html>")
    assert data_page_url(cohort, tmp_path / "out") is None
    write_page(beside)
    assert data_page_url(cohort, tmp_path / "a 'b") == "../data/coco/annotations/data.html"
