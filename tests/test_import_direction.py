"""The layout of docs/architecture.md: imports go one way, folders are small, names are unique."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fzmm"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_MODULES = 12  # in a folder: "about ten"
MOST_SHARED = 12  # in fzmm/ itself: what any room may import

# What each room may import beside itself, fzmm/utils and the modules that lie directly in fzmm/.
MAY_IMPORT = {
    "datasets": set(),
    "models": {"ops"},
    "ops": set(),
    "utils": set(),
    "engine": {"datasets", "detector_config", "models", "evaluation"},
    "evaluation": {"datasets"},
    "detector_config": set(),
    "study": {"datasets", "detector_config"},
    "sweep": {"study", "detector_config", "engine", "models", "analysis"},  # models: its one map
    "analysis/reading": {"datasets"},
    "analysis/statistics": {"analysis/reading", "datasets"},
    "analysis/detections": {"analysis/reading", "analysis/statistics", "datasets"},
    "analysis/conclusions": {"analysis/reading", "analysis/statistics", "analysis/detections"},
    "analysis/figures": {
        "analysis/reading",
        "analysis/statistics",
        "analysis/detections",
        "analysis/conclusions",
        "datasets",
    },
    "analysis/report": {"analysis"},
    "toy": {"*"},
    "commands": {"*"},
}
HEAVY = {"torch", "torchvision", "mmengine", "mmcv", "mmdet"}
LIGHT = ("analysis", "datasets")  # rooms that start without torch


def room_of(module: str) -> str:
    """``fzmm.analysis.reading.run`` is in ``analysis/reading``, ``fzmm.errors`` in no room."""
    parts = module.split(".")[1:]
    if parts[:1] == ["analysis"]:
        return "/".join(parts[:2])
    return parts[0] if parts and (PACKAGE / parts[0]).is_dir() else ""


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, top_only: bool = False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def may_import(room: str, other: str) -> bool:
    allowed = MAY_IMPORT[room]
    rooms = {other, other.split("/")[0]}
    return other in ("", "utils", room) or "*" in allowed or bool(rooms & allowed)


def test_every_room_is_in_the_table():
    rooms = {room_of(name_of(path)) for path in MODULES if path.parent != PACKAGE} - {"analysis"}
    assert rooms <= set(MAY_IMPORT)


def test_imports_go_one_way():
    wrong = {
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if (room := room_of(name_of(path))) in MAY_IMPORT
        for module in imports_of(path)
        if module.startswith("fzmm.") and not may_import(room, room_of(module))
    }
    assert wrong == set()


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_start_without_torch(room):
    wrong = [
        f"{name_of(path)} imports {module}"
        for path in (PACKAGE / room).rglob("*.py")
        if path.parent.name != "samplers"  # MMDetection's, and loaded by its configs only
        for module in imports_of(path, top_only=True)
        if module.split(".")[0] in HEAVY
    ]
    assert wrong == []


def test_the_package_calls_no_tool():
    assert [name_of(p) for p in MODULES for m in imports_of(p) if m.split(".")[0] == "tools"] == []


def test_folders_stay_small():
    counts = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert counts.pop(PACKAGE) <= MOST_SHARED
    assert {str(folder): n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_no_two_classes_or_modules_of_one_name():
    places = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py" and path.parent.name != "commands":  # named as what they run
            places[f"module {path.stem}"].append(name_of(path))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[f"class {node.name}"].append(name_of(path))
    twice = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert twice == {}


def test_the_map_names_what_is_there():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    paths = set(re.findall(r"(?:fzmm|tests|tools|configs)/[\w/.-]*\w", text))
    missing = [path for path in paths if not (PACKAGE.parent / path).exists()]
    assert [path for path in missing if "NAME" not in path] == []
