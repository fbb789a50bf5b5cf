"""The report in a browser, without a window: what runs, what shows, how wide it gets."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.examples import TEXTS, eager
from tests.pages import ATTACKS, Page, check_nothing_got_in

pytest.importorskip("jinja2", reason="the extra report is not installed")
pytest.importorskip("matplotlib", reason="the extra report is not installed")

from sktextcnn.report import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)}")

# Sorts the table as a user would, and writes what it sees into the page.
PROBE = """
const labels = () => [...document.querySelectorAll("tbody th")].map((cell) => cell.dataset.value);
const press = (column) => document.querySelectorAll("thead button")[column].click();
const seen = { labels: [labels()], width: [innerWidth, document.documentElement.scrollWidth] };
for (const column of [0, 0, 4]) { press(column); seen.labels.push(labels()); }
seen.sorts = [...document.querySelectorAll("thead th")].map((cell) => cell.getAttribute("aria-sort"));
document.documentElement.dataset.seen = JSON.stringify(seen);
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report in which texts, labels and title try to bring in markup."""
    tags = [[ATTACKS[i % len(ATTACKS)]] for i in range(12)]
    texts = [f"{attack} {text}" for attack, text in zip(ATTACKS * 2, TEXTS, strict=False)]
    path = tmp_path_factory.mktemp("report") / "report.html"
    # Other labels than those that were learned: mistakes to show.
    write_report(eager().fit(texts, tags), texts, tags[1:] + tags[:1], path, title=" ".join(ATTACKS))
    return path


def open_page(path, profile, width=1400):
    """Return the page as it is when its scripts have run."""
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ]
    done = subprocess.run(
        [BROWSER, *options, f"--window-size={width},900", "--dump-dom", path.as_uri()],
        capture_output=True,
        check=True,
        timeout=120,
    )
    return Page(done.stdout.decode("utf-8"))


@pytest.mark.slow
def test_no_markup_of_users_gets_into_the_page(report, tmp_path):
    page = open_page(report, tmp_path)
    check_nothing_got_in(page)
    assert page.text_of("title") == " ".join(ATTACKS)
    assert {attributes.get("class") for name, attributes in page.elements if name == "table"} == {
        "sortable"
    }


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1400])
def test_table_is_sorted_and_nothing_is_wider_than_the_window(report, tmp_path, width):
    source = report.read_text("utf-8")
    # The page allows no script but its own.
    source, n = re.subn(r"<meta http-equiv=.Content-Security-Policy.[^\n]*\n", "", source)
    assert n == 1
    probed = tmp_path / "probed.html"
    probed.write_text(source + f"<script>{PROBE}</script>", "utf-8")
    page = open_page(probed, tmp_path / "profile", width)
    seen = json.loads(page.elements[0][1]["data-seen"])
    first, ascending, descending, by_f1 = seen["labels"]
    assert descending == ascending[::-1]
    assert sorted(first) == sorted(ascending) == sorted(by_f1)
    assert seen["sorts"][4] == "descending"
    window, content = seen["width"]
    assert content <= window == width
