"""The page in a real browser: no error, nothing wider than the screen, controls that work."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from litgrid.evaluation import html
from litgrid.evaluation.comparison import Comparison

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for path in map(shutil.which, NAMES) if path), None)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]

PROBE = """
<script type="module">
const wait = () => new Promise((done) => setTimeout(done, 300));
const pixels = (id) => document.getElementById(id).toDataURL();
const paths = (id) => [...document.querySelectorAll(`#${id} path`)].map((path) => path.getAttribute("d"));
const see = () => ({
  right: pixels("imports-right-map"),
  week: paths("week-right-plot"),
  caption: document.getElementById("week-right-sum").textContent,
  learning: paths("learning-plot"),
  note: document.getElementById("learning-note").textContent,
  first: document.querySelector("table.sortable tbody th").textContent.trim(),
});
const set = (id, value) => {
  const control = document.getElementById(id);
  control.value = value;
  control.dispatchEvent(new Event("input"));
};
for (let tries = 0; tries < 20 && paths("week-right-plot").length === 0; tries++) await wait();
const before = see();
set("imports-right", 0);
set("week-right", 0);
set("week-number", 1);
document.querySelector("input[value=minutes]").click();
for (const click of [1, 2]) document.querySelectorAll("table.sortable button")[2].click();
document.getElementById("week-after").click();
await wait();
const found = { before, after: see(), week: document.getElementById("week-shown").value,
  wide: document.documentElement.scrollWidth, screen: innerWidth };
parent.postMessage(JSON.stringify(found), "*");
</script>
"""
FRAME = """<!doctype html>
<title>A screen of any width: the browser's own window has at least 500 pixels</title>
<iframe src="report.html" width="{width}" height="900" style="border: 0"></iframe>
<pre id="probe"></pre>
<script>addEventListener("message", (event) => (document.getElementById("probe").textContent = event.data));</script>
"""


def opened(path: Path) -> tuple[dict[str, Any], str]:
    """Open a page without network; return what the probe found, and what the console said."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"]
    options += [
        "--virtual-time-budget=10000",
        "--window-size=1400,1000",
        f"--user-data-dir={path.parent / 'profile'}",
    ]
    done = subprocess.run([BROWSER, *options, path.as_uri()], capture_output=True, text=True, timeout=300, check=True)
    found = re.search(r'<pre id="probe">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")), "\n".join(console)


@pytest.mark.parametrize("width", [1280, 390])
def test_it_works_in_a_browser(stand_ins: Comparison, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    html.write(stand_ins, path)
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    found, console = opened(frame)
    assert console == ""
    assert found["wide"] <= found["screen"] == width
    before, after = found["before"], found["after"]
    assert len(before["week"]) == 8  # four stacked, PV, import, SOC and price
    assert all("NaN" not in path for path in [*before["week"], *before["learning"], *after["learning"]])
    assert before["right"] != after["right"]
    assert before["week"] != after["week"]
    assert before["caption"] != after["caption"]
    assert found["week"] == "2"
    assert len(before["learning"]) == len(after["learning"]) == 4
    assert before["learning"] != after["learning"]
    assert before["note"] == after["note"] == ""
    assert before["first"] == stand_ins.entries[0].name
    assert after["first"].rstrip(" !") == max(stand_ins.entries, key=lambda one: one.standing.objective.value).name
