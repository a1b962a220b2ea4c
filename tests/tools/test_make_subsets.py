import copy
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BCCD = ROOT / "../shared/data/bccd/annotations/instances_train.json"
OTHERS = {"summary.json", "README.md", "figure2_instances.png", "figure7_class_shares.png"}


def run(folder: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_subsets.py"), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **options},
        capture_output=True,
        text=True,
        timeout=120,
    )


def coco_of(images: int = 40, classes: int = 5, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    annotations = []
    for image in range(images - 3):  # the last three hold no annotation
        for _ in range(int(rng.integers(1, 6))):
            width, height = rng.uniform(2, 300, 2).round(2).tolist()
            annotations.append(
                {
                    "segmentation": [[0, 0, width, 0, width, height]],
                    "area": width * height,
                    "iscrowd": int(rng.random() < 0.1),
                    "image_id": 10 * image,
                    "bbox": [1, 2, width, height],
                    "category_id": int(min(rng.zipf(1.7), classes)) * 3,
                    "id": 1000 - len(annotations),
                    "zusätzlich": {"a": [1, "]"]},
                }
            )
    return {
        "info": {"year": 2026},
        "licenses": [{"id": 1}],
        "images": [
            {"id": 10 * index, "file_name": f"{index}.jpg", "width": 640, "height": 480}
            for index in range(images)
        ],
        "annotations": annotations,
        "categories": [
            {"id": 3 * (index + 1), "name": f"klasse {index}"} for index in range(classes)
        ],
        "anything": {"else": [None]},
    }


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "source.json"
    path.write_text(json.dumps(coco_of(), ensure_ascii=False), encoding="utf-8")
    return path


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_default_plan_writes_whole_coco_files_and_a_true_summary(tmp_path, source):
    done = run(tmp_path, source)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "fz"
    names = ["coco50", "coco25-1", "coco25-2", "coco25-3"]
    assert {path.name for path in out.iterdir()} == {f"{name}.json" for name in names} | OTHERS
    full, summary = load(source), load(out / "summary.json")
    assert summary["source"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert summary["seed"] == 0
    assert "make_subsets.py" in summary["command"]
    quarters: Counter = Counter()
    for name, images in zip(names, (20, 10, 10, 10), strict=True):
        part, row = load(out / f"{name}.json"), summary["subsets"][name]
        ids = {image["id"] for image in part["images"]}
        assert part["images"] == [image for image in full["images"] if image["id"] in ids]
        kept = [item for item in full["annotations"] if item["image_id"] in ids]
        assert part["annotations"] == kept
        assert {key: part[key] for key in ("info", "licenses", "categories", "anything")} == {
            key: full[key] for key in ("info", "licenses", "categories", "anything")
        }
        assert list(part) == list(full)
        assert len(ids) == row["images"] == images
        assert len(kept) == row["annotations"]
        assert row["fraction_images"] == images / 40
        counts = Counter(item["category_id"] for item in kept)
        all_counts = Counter(item["category_id"] for item in full["annotations"])
        off = max(abs(counts[key] - row["fraction"] * all_counts[key]) for key in all_counts)
        assert row["max_class_count_deviation"] == pytest.approx(off, abs=1e-6)
        share = max(
            abs(counts[key] / len(kept) - all_counts[key] / len(full["annotations"]))
            for key in all_counts
        )
        assert row["max_class_share_deviation_pp"] == pytest.approx(100 * share, abs=1e-8)
        assert row["sha256"] == hashlib.sha256((out / f"{name}.json").read_bytes()).hexdigest()
        if name != "coco50":
            quarters.update(ids)
    assert max(quarters.values()) == 1
    page = (out / "README.md").read_text()
    assert all(f"| {name} |" in page for name in names)
    assert all(figure in page for figure in OTHERS if figure.endswith(".png"))
    assert all(name in done.stdout for name in names)


def test_pycocotools_reads_a_subset(tmp_path, source):
    coco = pytest.importorskip("pycocotools.coco")
    assert run(tmp_path, source, "--subset", "half=0.5").returncode == 0
    part = coco.COCO(str(tmp_path / "fz" / "half.json"))
    assert len(part.getImgIds()) == 20
    assert len(part.getAnnIds()) == len(load(tmp_path / "fz" / "half.json")["annotations"])


def test_the_same_command_gives_the_same_bytes_with_any_number_of_threads(tmp_path, source):
    options = ["--subset", "a=0.5", "--subset", "b=7", "--nested", "a,b", "--out-dir", "out"]
    options += ["--force", "--json"]
    found = []
    for threads in ("1", "2"):
        done = run(tmp_path, source, *options, OMP_NUM_THREADS=threads)
        assert done.returncode == 0
        assert json.loads(done.stdout) == load(tmp_path / "out" / "summary.json")
        found.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert found[0] == found[1]
    inner, outer = (
        {image["id"] for image in json.loads(found[0][f"{name}.json"])["images"]} for name in "ba"
    )
    assert inner < outer
    assert len(inner) == 7


def test_verify_measures_a_subset_of_any_tool_like_the_summary(tmp_path, source):
    assert run(tmp_path, source, "--subset", "half=0.5").returncode == 0
    row = load(tmp_path / "fz" / "summary.json")["subsets"]["half"]
    part = load(tmp_path / "fz" / "half.json")
    part["annotations"].reverse()
    for index, item in enumerate(part["annotations"]):
        item["id"] = index
    part["categories"].reverse()
    other = tmp_path / "other.json"
    other.write_text(json.dumps(part))
    done = run(tmp_path, "verify", other, "--source", source, "--json")
    found = json.loads(done.stdout)
    assert {key: found[key] for key in row if key != "sha256"} == {
        key: row[key] for key in row if key != "sha256"
    }
    assert found["unknown_images"] == found["unknown_annotations"] == 0
    assert found["missing_annotations"] == 0
    part["annotations"] = part["annotations"][2:]
    part["annotations"][0]["bbox"] = [9, 9, 9, 9]
    other.write_text(json.dumps(part))
    found = json.loads(run(tmp_path, "verify", other, "--source", source, "--json").stdout)
    assert found["unknown_annotations"] == 1
    assert found["missing_annotations"] == 3
    assert "missing annotations: 3" in run(tmp_path, "verify", other, "--source", source).stdout


def test_verify_compares_with_the_fraction_that_the_size_suggests_or_the_given_one(
    tmp_path, source
):
    assert run(tmp_path, source, "--subset", "part=0.33").returncode == 0
    command = ["verify", "fz/part.json", "--source", source, "--json"]
    assert json.loads(run(tmp_path, *command).stdout)["fraction"] == 0.325  # 13 of 40
    assert json.loads(run(tmp_path, *command, "--fraction", "0.33").stdout)["fraction"] == 0.33
    for bad in ("33", "1e-9999999999"):
        assert_refused(run(tmp_path, *command, "--fraction", bad), f"--fraction {bad}")
    assert_refused(run(tmp_path, "verify", "fz/part.json"), "--source", "--help")


def test_verify_refuses_a_file_of_other_categories(tmp_path, source):
    other = load(source)
    other["categories"][1]["name"] = "Hund"
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    done = run(tmp_path, "verify", path, "--source", source)
    assert done.returncode == 2
    assert "other.json: categories[1] (id 6, 'Hund') is not in" in done.stderr


@pytest.mark.skipif(not BCCD.exists(), reason="the BCCD data set is not beside the repository")
def test_real_images_reach_the_rounding_limit(tmp_path):
    assert run(tmp_path, BCCD, "--out-dir", tmp_path / "out").returncode == 0
    for row in load(tmp_path / "out" / "summary.json")["subsets"].values():
        assert row["max_class_count_deviation"] <= 0.5
        assert row["max_stratum_count_deviation"] < 1


def test_twenty_images_of_eighty_classes_give_subsets_that_say_how_far_off_they_are(tmp_path):
    coco = coco_of(images=20, classes=80)
    for index, item in enumerate(coco["annotations"]):
        item["category_id"] = 3 * (index * 7 % 80 + 1)
    (tmp_path / "source.json").write_text(json.dumps(coco))
    done = run(tmp_path, "source.json")
    assert done.returncode == 0, done.stderr
    rows = load(tmp_path / "fz" / "summary.json")["subsets"]
    assert [row["images"] for row in rows.values()] == [10, 5, 5, 5]
    row = rows["coco25-1"]
    assert row["max_class_count_deviation"] > 0.5
    page = (tmp_path / "fz" / "README.md").read_text()
    assert f"coco25-1 ({row['worst_class']}; {row['worst_stratum']})" in page
    assert f"{row['max_class_count_deviation']:.2f}" in page
    assert f"{row['max_class_count_deviation']:.2f}" in done.stdout


def test_gzip_windows_line_ends_and_whole_floats_give_the_same_subset(tmp_path):
    coco = coco_of()
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(coco))
    odd = copy.deepcopy(coco)
    for item in odd["annotations"]:
        item["image_id"] = float(item["image_id"])
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(odd, indent=1).replace("\n", "\r\n").encode()))
    for name in ("plain.json", "packed.json.gz"):
        options = ("--subset", "half=0.5", "--out-dir", name.split(".")[0])
        assert run(tmp_path, name, *options).returncode == 0
    assert load(tmp_path / "plain" / "half.json") == load(tmp_path / "packed" / "half.json")


def test_a_path_that_is_no_unicode_and_an_ascii_terminal_are_no_obstacle(tmp_path, source):
    folder = os.fsdecode(b"folder \xff")
    options = ("--subset", "hälfte=0.5", "--out-dir", folder)
    done = run(tmp_path, source, *options, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "h\\xe4lfte" in done.stdout
    summary = load(tmp_path / folder / "summary.json")
    assert folder in summary["command"]
    assert "hälfte" in (tmp_path / folder / "README.md").read_text(encoding="utf-8")


def broken(change) -> str:
    coco = coco_of()
    change(coco)
    return json.dumps(coco)


def set_item(key: str, index: int, **values):
    return lambda coco: coco[key][index].update(values)


BAD_FILES = {
    "not JSON": ("class,count\n", "line 1, column 1", "is not JSON"),
    "empty": ("", "line 1, column 1", "cut off"),
    "truncated": (json.dumps(coco_of())[:2000], "line 1, column", "cut off"),
    "a list": ("[1, 2]", "the top level is a list", "give a COCO"),
    "no images key": (broken(lambda c: c.pop("images")), "`images` is missing", "give"),
    "no annotations": (broken(lambda c: c.pop("annotations")), "`annotations` is missing", "give"),
    "no categories": (broken(lambda c: c.pop("categories")), "`categories` is missing", "give"),
    "images no list": (
        broken(lambda c: c.update(images={})),
        "`images` is an object",
        "make it one",
    ),
    "an image no object": (broken(lambda c: c["images"].append(3)), "images[40]", "make it one"),
    "no images": (
        broken(lambda c: c.update(images=[], annotations=[])),
        "`images` is empty",
        "nothing to choose",
    ),
    "image id twice": (broken(set_item("images", 3, id=10)), "images[3] (id 10)", "its own id"),
    "annotation id twice": (
        broken(set_item("annotations", 5, id=999)),
        "annotations[5] (id 999)",
        "its own id",
    ),
    "category id twice": (
        broken(set_item("categories", 2, id=3)),
        "categories[2] (id 3)",
        "its own id",
    ),
    "unknown image": (
        broken(set_item("annotations", 2, image_id=7)),
        "annotations[2] (id 998) has `image_id` 7, which is not in `images`",
        "remove",
    ),
    "unknown category": (
        broken(set_item("annotations", 2, category_id=7)),
        "annotations[2] (id 998) has `category_id` 7, which is not in `categories`",
        "remove",
    ),
    "three numbers": (
        broken(set_item("annotations", 4, bbox=[1, 2, 3])),
        "annotations[4] (id 996)",
        "give [x, y, width, height]",
    ),
    "text in a box": (
        broken(set_item("annotations", 4, bbox=[1, 2, 3, "4"])),
        "annotations[4] (id 996)",
        "give [x, y, width, height]",
    ),
    "no box": (
        broken(lambda c: c["annotations"][4].pop("bbox")),
        "annotations[4] (id 996) has no `bbox`",
        "give [x, y, width, height]",
    ),
    "NaN": (
        broken(set_item("annotations", 4, bbox=[1, 2, float("nan"), 3])),
        "annotations[4] (id 996)",
        "give [x, y, width, height]",
    ),
    "infinity": (
        broken(set_item("annotations", 4, bbox=[1, float("-inf"), 2, 3])),
        "annotations[4] (id 996)",
        "give [x, y, width, height]",
    ),
    "negative width": (
        broken(set_item("annotations", 4, bbox=[1, 2, -3, 4])),
        "annotations[4] (id 996) has a `bbox` of negative width -3",
        "give [x, y, width, height]",
    ),
    "text as id": (
        broken(set_item("images", 1, id="10")),
        'images[1] has `id` "10"',
        "use an integer",
    ),
    "text as area": (
        broken(set_item("annotations", 1, area="9")),
        'annotations[1] (id 999) has `area` "9"',
        "fix",
    ),
}


def assert_refused(done: subprocess.CompletedProcess, *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("reading ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_broken_file_gives_one_line_and_no_output(tmp_path, name):
    text, place, remedy = BAD_FILES[name]
    (tmp_path / "bad file.json").write_text(text)
    done = run(tmp_path, "bad file.json", "--out-dir", "out")
    assert_refused(done, "bad file.json", place, remedy)
    assert [path.name for path in tmp_path.iterdir()] == ["bad file.json"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--subset", "a=0"], ["--subset a=0", "outside (0, 1]"]),
        (["--subset", "a=1.5"], ["--subset a=1.5", "outside (0, 1]"]),
        (["--subset", "a=41"], ["--subset a=41", "asks for 41 images of 40"]),
        (["--subset", "a=0.5", "--subset", "a=0.2"], ["--subset a", "rename one"]),
        (["--subset", "../a=0.5"], ["'../a'", "leave out folders"]),
        (
            ["--subset", "a=0.6", "--subset", "b=0.6", "--disjoint", "a,b"],
            ["--disjoint a,b", "sum to 1.2"],
        ),
        (["--stratify", "shape"], ["--stratify", "'shape'", "classes"]),
        (["--seed", "-1"], ["--seed -1"]),
        (["--seed", "x"], ["--seed", "--help"]),
        (["--subset"], ["--subset", "--help"]),
        (["--subset", "a=1e-30"], ["--subset a=1e-30", "leaves no image of 40"]),
        (["--out-dir", "o" * 300], ["name too long", "choose another --out-dir"]),
        (["--out-dir", "source.json"], ["source.json", "choose another --out-dir"]),
        (["--out-dir", "source.json/x"], ["source.json/x", "choose another --out-dir"]),
        (["--out-dir", ".", "--subset", "source=0.5", "--force"], ["replace its source"]),
    ],
    ids=lambda value: " ".join(value)[:40] if value[0].startswith("--") else "",
)
def test_a_wrong_argument_gives_one_line_and_no_output(tmp_path, source, arguments, parts):
    before = source.read_bytes()
    assert_refused(run(tmp_path, source.name, *arguments), *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["source.json"]
    assert source.read_bytes() == before


def test_missing_and_damaged_files_are_refused(tmp_path):
    assert_refused(run(tmp_path, "missing.json"), "missing.json", "check the path")
    packed = gzip.compress(json.dumps(coco_of()).encode())
    (tmp_path / "a.json.gz").write_bytes(packed[: len(packed) // 2])
    assert_refused(run(tmp_path, "a.json.gz"), "a.json.gz", "copy the file again")


def test_existing_outputs_are_kept_unless_forced(tmp_path, source):
    out = tmp_path / "fz"
    out.mkdir()
    names = ["summary.json", "README.md", "half.json"]
    for name in names:
        (out / name).write_text("mine")
        assert_refused(run(tmp_path, source, "--subset", "half=0.5"), f"fz/{name}", "pass --force")
        assert (out / name).read_text() == "mine"
        if name != names[-1]:
            assert [path.name for path in out.iterdir()] == [name]
            (out / name).unlink()
    (out / "other.json").write_text("mine")
    assert run(tmp_path, source, "--subset", "half=0.5", "--force").returncode == 0
    assert load(out / "half.json")["images"]
    assert (out / "other.json").read_text() == "mine"


def test_a_disk_that_fills_half_way_leaves_nothing(tmp_path):
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(mount)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root and a kernel that allows it")
    try:
        source = tmp_path / "source.json"
        source.write_text(json.dumps(coco_of(images=1500)))
        assert source.stat().st_size > 700_000
        done = run(tmp_path, source, "--out-dir", mount / "out")
        assert done.returncode == 2
        assert "No space left on device" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert list(mount.iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_leaves_nothing(tmp_path, number):
    source = tmp_path / "source.json"
    source.write_text(json.dumps(coco_of(images=6000, classes=60)))
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "make_subsets.py"), str(source)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs inherit that SIGINT is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while "choosing" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    rest = process.stderr.read()
    assert process.wait(timeout=60) in (143, 130)
    assert "Traceback" not in rest
    assert [path.name for path in tmp_path.iterdir()] == ["source.json"]


def test_groups_stay_together_and_the_page_says_what_that_costs(tmp_path):
    coco = coco_of(60)
    for index, image in enumerate(coco["images"]):
        image["file_name"] = f"patient{index // 7}_{index}.jpg"
    (tmp_path / "train.json").write_text(json.dumps(coco))
    plan = ("--subset", "a=0.3", "--subset", "b=0.3", "--disjoint", "a,b", "--out-dir", "out")
    done = run(tmp_path, "train.json", *plan, "--group-by", r"patient(\d+)_")
    assert done.returncode == 0, done.stderr
    patients = {}
    for name in "ab":
        images = json.loads((tmp_path / f"out/{name}.json").read_text())["images"]
        patients[name] = {image["file_name"].split("_")[0] for image in images}
        whole = [i for i in coco["images"] if i["file_name"].split("_")[0] in patients[name]]
        assert images == whole and images
    assert not patients["a"] & patients["b"]
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["group_by"] == {
        "pattern": r"patient(\d+)_",
        "groups": 9,
        "largest": 7,
        "unmatched": 0,
    }
    off = summary["subsets"]["a"]["image_deviation"]
    assert off == abs(summary["subsets"]["a"]["images"] - 18) and "images off" in done.stdout
    assert "9 groups" in (tmp_path / "out/README.md").read_text()
    bad = run(tmp_path, "train.json", *plan, "--force", "--group-by", "(patient")
    assert bad.returncode == 2 and bad.stderr.count("\n") <= 2 and "no regular" in bad.stderr
    assert json.loads((tmp_path / "out/summary.json").read_text()) == summary
