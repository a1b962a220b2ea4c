"""Every command that a document, a docstring or a parser's example shows."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from fzmm.commands.analyze_logs import ABOUT
from fzmm.paths import ROOT

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "configs/fz", "data", "work_dirs")),
]
SOURCES = [
    path
    for pattern in ("tools/*.py", "tools/*.sh", "fzmm/**/*.py", "benchmarks/*.py")
    for path in sorted(ROOT.glob(pattern))
]
# A span of code in the text is a command if it begins with one of these and says what to do.
PROGRAMS = ("python", "fzmm", "make", "mim", "bash", "pip", "git", "ray")


@dataclass(frozen=True)
class Shown:
    """A command as it is shown, on one line.

    Attributes:
        place: File and line, or the command whose help shows it.
        text: The command.
    """

    place: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the command without variables before it and comments behind it."""
        usage = re.sub(r"\[arguments of [^]]*\]", "", self.text)
        usage = re.sub(r"\[((?:--|[A-Z_]+=)[^]]*)\]", r"\1", usage)  # what may be left out
        words = shlex.split(usage, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        return words


def all_commands() -> list[Shown]:
    """Return each different command once, with the first place that shows it."""
    first: dict[str, Shown] = {}
    for command in [*_of_documents(), *_of_sources(), *_of_help()]:
        first.setdefault(" ".join(command.words), command)
    return list(first.values())


def _of_documents() -> Iterator[Shown]:
    for path in DOCUMENTS:
        name = str(path.relative_to(ROOT))
        for number, text in _blocks(path.read_text()):
            yield from _split(f"{name}:{number}", text)
        for number, text in _spans(path.read_text()):
            yield from _split(f"{name}:{number}", text)


def _blocks(page: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of fenced blocks of bash, and of indented blocks that are not Python."""
    for match in re.finditer(r"^```bash\n(.*?)^```", page, re.M | re.S):
        yield from _lines(match[1], _number(page, match.start(1)))
    rest = re.sub(
        r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), page, flags=re.M | re.S
    )
    for match in re.finditer(r"(?<=\n\n)(?:    .*\n)+", rest):
        block = re.sub("^    ", "", match[0], flags=re.M)
        if not _is_python(block) and not block.split()[0].endswith("/"):  # a tree of folders
            yield from _lines(block, _number(rest, match.start()))


def _without_fenced(page: str) -> str:
    """Return the page with empty lines in place of its fenced blocks."""
    fenced = re.compile(r"^```.*?^```", re.M | re.S)
    return fenced.sub(lambda block: "\n" * block[0].count("\n"), page)


def _is_python(block: str) -> bool:
    try:
        return any("=" in line for line in block.splitlines()) and bool(ast.parse(block))
    except SyntaxError:
        return False


def _lines(block: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield the commands of a block, those that go on in the next line as one."""
    whole, start = "", first
    for number, line in enumerate(block.splitlines(), first):
        start = start if whole else number
        whole += line.strip().removesuffix("\\")
        if not line.endswith("\\"):
            if whole and not whole.startswith("#"):
                yield start, whole
            whole = ""


def _spans(page: str) -> Iterator[tuple[int, str]]:
    text = re.sub(
        r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), page, flags=re.M | re.S
    )
    for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", text):
        words = Shown("", " ".join(match[1].split())).words if match[1].count('"') % 2 == 0 else []
        if len(words) > 1 and words[0] in PROGRAMS:
            yield _number(text, match.start()), " ".join(match[1].split())


def _split(place: str, text: str) -> Iterator[Shown]:
    for part in text.split(" && "):
        yield Shown(place, part.strip())


def _number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _of_sources() -> Iterator[Shown]:
    """Yield the usage lines of docstrings and of the comment that a script begins with."""
    for path in SOURCES:
        text = path.read_text()
        if path.suffix == ".sh":
            comment = re.match(r"(?:#.*\n)+", text)[0]
            usage = re.sub(r"^#", "", comment, flags=re.M)
        else:
            usage = ast.get_docstring(ast.parse(text), clean=False) or ""
        for number, line in _lines(usage, 1):
            if re.match(r"(?:\[?[A-Z_]+=\S+ +)*(?:python|fzmm|make|bash) ", line):
                yield from _split(f"{path.relative_to(ROOT)}:{number}", line)


def _of_help() -> Iterator[Shown]:
    """Yield the examples below the options, which are texts in the modules of the commands."""
    for path in sorted((ROOT / "fzmm/commands").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = re.sub(r"^example: ", "", node.value)
                for _, line in _lines(text, 1):
                    if re.match(r"fzmm [a-z]", line) and "{" not in line:
                        yield from _split(f"help in {path.name}", line)
    for name, (_, arguments) in ABOUT.items():
        yield Shown("help in analyze_logs.py", f"fzmm {name.replace('_', '-')} {arguments}")
