import ast
import graphlib
import inspect
from pathlib import Path

import pytest
import torch

import rfteach as rf

HEAVY = ("matplotlib", "ot", "torchdiffeq", "scipy", "sklearn", "pandas", "tqdm", "IPython")


@pytest.mark.slow
def test_the_import_is_light(run_python):
    """Heavy libraries load on first use; whatever torch itself imports does not count."""
    program = "import sys, torch; before = set(sys.modules); import rfteach; " + (
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = run_python(program)
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())


def test_a_warning_of_pytorch_about_itself_is_not_shown(run_python):
    """From within torch.func.jvp, on each page that uses it; others of the same place are shown."""
    warn = "warnings.warn_explicit('{}', FutureWarning, 'x.py', 1, module='torch.jit._script'); "
    done = run_python(
        "import warnings, rfteach; "
        + warn.format("`torch.jit.script` is deprecated. Please switch to `torch.compile`.")
        + warn.format("`torch.jit.script` is not supported in Python 3.14+ and may break.")
        + warn.format("another")
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("FutureWarning") == 1 and "another" in done.stderr


def test_no_public_name_hides_a_module():
    """As `rf.reflow` once hid `rfteach.reflow`, so that nothing could be imported from there."""
    folder = Path(rf.__file__).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix in ("", ".py")}
    hidden = [name for name in modules & set(vars(rf)) if not inspect.ismodule(getattr(rf, name))]
    assert hidden == []


def imports(path: Path) -> set[str]:
    """Return the modules of rfteach that a file imports when it is imported itself."""
    return {
        f"{node.module}.{name.name}" if node.module == "rfteach" else node.module
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rfteach")
        for name in node.names
    }


def test_no_room_needs_one_that_needs_it():
    """Rooms and modules of the top floor: each can be read before those that stand on it."""
    folder = Path(rf.__file__).parent
    needs: dict[str, set[str]] = {}
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).with_suffix("").parts[0]
        if room != "__init__":
            needs.setdefault(room, set()).update(name.split(".")[1] for name in imports(path))
    graph = {room: others - {room} for room, others in needs.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) > 20  # raises for a circle


def test_the_annotations_are_checked_in_this_run():
    with pytest.raises(TypeError, match="[Tt]ype-check"):
        rf.interpolate(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(4))


def test_a_report_carries_the_versions_ready_to_paste(run_python):
    done = run_python("import runpy; runpy.run_module('rfteach', run_name='__main__')")
    assert done.returncode == 0, done.stderr
    told = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert told["rfteach"] == rf.__version__ and told["torch"] == torch.__version__
    assert all(told.values())
