"""A JupyterLab with kernels of this environment, and notebooks open in it in the browser."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect
from watching import Watched

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds for a server, a kernel or a widget on a busy machine
# JupyterLab asks other hosts for news and for new versions, unless it is told not to.
FLAGS = [
    *("--no-browser", "--ip=127.0.0.1", "--port=0"),  # 0: the system chooses a free port
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
]
SETTINGS = {
    "notification": {"fetchNews": "false", "checkForUpdates": False},
    "themes": {"adaptive-theme": True},  # light or dark as the browser's color scheme
}

expect.set_options(timeout=1000 * PATIENCE)


class Lab:
    """A JupyterLab server that reads and writes in one folder only."""

    def __init__(self, folder: Path):
        self.notebooks, self.log = folder / "notebooks", folder / "log"
        self.token, self._read = secrets.token_hex(), 0
        self.notebooks.mkdir()
        settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        for name, content in SETTINGS.items():
            (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(content))
        self._runtime = folder / "runtime"
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        # The environment's own kernel and extensions come first, then those of a user.
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))},
            **{variable: str(folder / name) for variable, name in folders.items()},
            "JUPYTER_PREFER_ENV_PATH": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")])),
            "OMP_NUM_THREADS": "1",
            "TQDM_DISABLE": "1",
        }

    def __enter__(self):
        command = [sys.executable, "-m", "jupyterlab", *FLAGS]
        command += [f"--IdentityProvider.token={self.token}"]
        command += [f"--ServerApp.root_dir={self.notebooks}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command += ["--allow-root"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception):
        self._stop()

    def _wait(self):
        """Wait until it answers."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                (information,) = self._runtime.glob("jpserver-*.json")
                self.url = json.loads(information.read_text())["url"].rstrip("/")
                self.call("api/status")
                return
            except (ValueError, URLError, TimeoutError):  # no file yet, half of it, no answer
                time.sleep(0.1)
        code = self._process.poll()
        ended = f"was not there after {PATIENCE} s" if code is None else f"ended with status {code}"
        pytest.fail(f"JupyterLab {ended}. Its log:\n{self.log.read_text()}", pytrace=False)

    def _stop(self):
        """End it. When asked, it ends its kernels first; if it is killed, they notice and end."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()

    def call(self, path: str, method: str = "GET"):
        """Ask its REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        request = Request(f"{self.url}/{path}", method=method, headers=headers)
        with urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def write(self, name: str, cells: list[str]) -> str:
        """Make a notebook; return its address, in a workspace of its own."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(
            cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
        )
        nbformat.write(notebook, self.notebooks / f"{name}.ipynb")
        return f"{self.url}/lab/workspaces/{name}/tree/{name}.ipynb?token={self.token}"

    def new_log(self) -> str:
        """What the server logged since the last time."""
        with self.log.open() as log:
            log.seek(self._read)
            text = log.read()
            self._read = log.tell()
        return text


class Notebook(Watched):
    """A notebook in JupyterLab's page, with all that the page and its kernel complained about."""

    def __init__(self, context, url: str):
        super().__init__(context, url)
        self._runs = 0
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._note_frame))
        self.page.goto(url)
        # The status bar knows. The circle in the toolbar is "idle" before there is a kernel too,
        # and a cell that is run that early is not run at all.
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def _note_frame(self, content):
        """Note an error in the kernel: those that a widget's news cause are in no cell's output."""
        text = content if isinstance(content, str) else content.decode(errors="replace")
        if "Traceback" in text:
            self.problems.append(f"error in the kernel: {text[text.index('Traceback') :]}")

    def cell(self, number: int):
        """The cell of a number, from 1."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number - 1)

    def run(self, number: int) -> str:
        """Run a cell by keyboard, wait for its end, and return what it printed."""
        cell, self._runs = self.cell(number), self._runs + 1
        cell.locator(".cm-content").focus()
        self.page.keyboard.press("Shift+Enter")
        expect(cell.locator(".jp-InputPrompt")).to_have_text(f"[{self._runs}]:")
        printed = "\n".join(cell.locator(".jp-OutputArea-output pre").all_inner_texts()).strip()
        assert "Traceback" not in printed, f"cell {number} fails:\n{printed}"
        return printed

    def run_until(self, number: int, printed: str):
        """Run a cell until it prints a text: the page's news reach the kernel in between."""
        end = time.monotonic() + PATIENCE
        while (last := self.run(number)) != printed:
            assert time.monotonic() < end, f"cell {number} prints {last!r}, not {printed!r}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab that runs."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def context(browser):
    """The window for all notebooks: tall, since JupyterLab draws what is in view."""
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(1000 * PATIENCE)
    yield context
    context.close()


@pytest.fixture
def open_notebook(lab, context, request):
    """A function that opens a notebook with given cells. In the end nothing may have gone wrong."""
    opened = []

    def open_one(*cells: str) -> Notebook:
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        opened.append(Notebook(context, lab.write(name, cells)))
        return opened[-1]

    lab.new_log()
    yield open_one
    problems = [problem for notebook in opened for problem in notebook.problems]
    for notebook in opened:
        notebook.page.close()
    for kernel in lab.call("api/kernels"):
        lab.call(f"api/kernels/{kernel['id']}", "DELETE")
    print(lab.new_log())  # pytest shows it beside a failure
    assert not problems, "\n".join(problems)
