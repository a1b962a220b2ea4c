"""What a page reports of itself in a browser."""

import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium")

# A frame as wide as a phone lays the page out as the phone does; a window cannot be as narrow.
FRAME = """<!doctype html>
<iframe id="page" src="%(page)s" style="border:0;width:%(width)dpx;height:%(height)dpx"></iframe>
<script>
document.getElementById("page").onload = (event) => {
  const window = event.target.contentWindow, page = event.target.contentDocument;
  const text = document.createElement("pre");
  text.id = "report";
  text.textContent = JSON.stringify((() => { %(script)s })());
  document.body.append(text);
};
</script>"""


def measure(page, width, height, script, profile):
    """Return what a script says of a page that is shown in a frame.

    Args:
        page: The HTML file; the frame is written beside it.
        width: Of the frame, pixels.
        height: Of the frame, pixels.
        script: JavaScript that returns an object; ``page`` is its document, ``window`` its window.
        profile: Folder for the browser's own files.
    """
    frame = page.parent / f"frame{width}.html"
    frame.write_text(FRAME % dict(page=page.name, width=width, height=height, script=script))
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
        + [f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--dump-dom"]
        + [frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
    )
    measured = re.search('<pre id="report">(.*?)</pre>', done.stdout)
    assert measured, done.stderr[-2000:]
    return json.loads(measured[1])
