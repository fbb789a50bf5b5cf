"""The report in a browser, without a window: what runs, what shows, how wide it gets."""

from __future__ import annotations

import json
import shutil
import subprocess
from html import escape

import pytest

from tests.examples import TEXTS, eager
from tests.pages import ATTACKS, Page, check_nothing_got_in

pytest.importorskip("jinja2", reason="the extra report is not installed")
pytest.importorskip("matplotlib", reason="the extra report is not installed")

from sktextcnn.report import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)}")

# A page of that width within a page, in which a script sorts the table as a user would and writes down
# what it sees. (The report itself allows no script but its own, and windows have a least width.)
FRAME = """<!DOCTYPE html>
<iframe style="width: {width}px; height: 900px; border: 0" srcdoc="{source}"></iframe>
<script>
const frame = document.querySelector("iframe");
frame.onload = () => {{
  const page = frame.contentDocument;
  const all = (selector) => [...page.querySelectorAll(selector)];
  const labels = () => all("tbody th").map((cell) => cell.dataset.value);
  const seen = {{
    labels: [labels()],
    width: [frame.contentWindow.innerWidth, page.documentElement.scrollWidth],
  }};
  for (const column of [0, 0, 4]) {{
    all("thead button")[column].click();
    seen.labels.push(labels());
  }}
  seen.sorts = all("thead th").map((cell) => cell.getAttribute("aria-sort"));
  document.documentElement.dataset.seen = JSON.stringify(seen);
}};
</script>
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


def open_page(path, profile):
    """Return the page as it is when its scripts have run."""
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ]
    done = subprocess.run(
        [BROWSER, *options, "--window-size=1500,1000", "--dump-dom", path.as_uri()],
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
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width, source=escape(report.read_text("utf-8"))), "utf-8")
    page = open_page(frame, tmp_path / "profile")
    seen = json.loads(page.elements[0][1]["data-seen"])
    first, ascending, descending, by_f1 = seen["labels"]
    assert descending == ascending[::-1]
    assert sorted(first) == sorted(ascending) == sorted(by_f1)
    assert seen["sorts"][4] == "descending"
    window, content = seen["width"]
    assert content <= window == width
