"""What several files of the project say, which must be the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sktextcnn

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "sktextcnn"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.rst"))]


def read(path):
    return (ROOT / path).read_text("utf-8")


def test_one_version():
    cited = re.search(r"^version: (.+)$", read("CITATION.cff"), flags=re.MULTILINE)
    assert cited[1] == sktextcnn.__version__


def test_the_oldest_versions_tested_are_the_lower_bounds():
    pinned = dict(line.split("==") for line in read(".ci/oldest.txt").splitlines() if "==" in line)
    bounds = dict(re.findall(r'^    "([\w-]+)>=([\d.]+)",$', read("pyproject.toml"), flags=re.MULTILINE))
    for name, version in pinned.items():
        assert f"{version}.".startswith(f"{bounds[name]}."), name


def test_addresses_of_the_project_are_in_one_file():
    table = read("pyproject.toml").partition("[project.urls]\n")[2].partition("\n[")[0]
    addresses = re.findall(r'"(https://[^"]+)"', table)
    assert len(addresses) == 4
    files = [*PAGES, ROOT / "docs/conf.py", ROOT / "CITATION.cff", *(ROOT / ".github").rglob("*.*")]
    for file in files:
        if file.is_file():
            assert not [a for a in addresses if a in file.read_text("utf-8")], file


def test_the_workflow_runs_every_step_of_the_checks():
    steps = re.search(r"^        ([\w |]+)\) ;;$", read(".ci/run"), flags=re.MULTILINE)[1].split(" | ")
    workflow = read(".github/workflows/ci.yml")
    run = re.findall(r"- { step: (\w+),", workflow) + re.findall(r"\.ci/run (\w+)", workflow)
    assert sorted(run) == sorted(steps)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_pages_name_exist(page):
    for name in re.findall(r"`((?:[\w.]+/)*[\w.]+\.(?:py|rst|md|toml|svg))`", page.read_text("utf-8")):
        if "/" in name or name.endswith((".md", ".toml")):
            assert (ROOT / name).exists() or (PACKAGE / name).exists(), name


ROWS = [line for line in read("CONTRIBUTING.md").splitlines() if line.startswith(("| a ", "| an "))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_names_in_the_table_are_those_of_its_files(row):
    """Of functions, classes and constants; a row may name only what one finds where it says."""
    quoted = re.findall(r"`([^`]+)`", row)
    files = [ROOT / name for name in quoted if "/" in name and "*" not in name]
    text = "\n".join(path.read_text("utf-8") for path in files if path.is_file())
    for name in quoted:
        if re.fullmatch(r"\w+", name):
            assert re.search(rf"\b{name}\b", text), name
