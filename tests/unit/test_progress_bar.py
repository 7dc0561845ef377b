import nbformat
import pytest
from nbclient import NotebookClient

import rfteach as rf

TRAIN = """
import torch, rfteach as rf
torch.set_num_threads(1)
coupling = rf.IndependentCoupling(rf.Gaussian(2), rf.Circle())
run = rf.train(rf.VelocityMLP(dim=2), coupling, steps=200, batch_size=16)
"""


class Interrupted:
    """A coupling that is stopped from the keyboard at once."""

    def sample(self, n, *, generator=None, device=None):
        raise KeyboardInterrupt


def train(coupling=None, **settings) -> None:
    coupling = coupling or rf.IndependentCoupling(rf.Gaussian(2), rf.Circle())
    rf.train(rf.VelocityMLP(dim=2), coupling, steps=200, batch_size=16, **settings)


def test_a_terminal_shows_the_bar(capsys):
    train()
    out, err = capsys.readouterr()
    assert out == ""
    assert "training: 100%" in err and "200/200" in err and "loss " in err
    assert err.count("\n") == 1 and err.endswith("\n")  # one line, written over and over


def test_an_interrupted_bar_ends_its_line(capsys):
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted())
    assert capsys.readouterr().err.endswith("| 0/200 [00:00<?, ?step/s]\n")


def test_the_bar_can_be_switched_off(capsys):
    train(progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("value", "shown"), [("1", False), ("0", True), ("", True)])
def test_the_bar_can_be_switched_off_from_outside(value, shown, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", value)
    train()
    out, err = capsys.readouterr()
    assert out == "" and ("200/200" in err) == shown == bool(err)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Jupyter's own machinery
def test_a_notebook_shows_a_widget_and_nothing_on_stderr():
    """Standard error would show as a red box, and fail the book's checks."""
    notebook = nbformat.v4.new_notebook()
    sources = ["import rfteach", TRAIN, "run"]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert [o.output_type for o in outputs] == ["display_data", "execute_result"]
    assert "application/vnd.jupyter.widget-view+json" in outputs[0].data
    assert "200/200" in str(notebook.metadata.widgets)  # as it stands when all is done
    assert outputs[1].data["text/plain"].startswith("TrainingRun(steps=200")
