import errno
import functools
import json
import os

import pytest
import torch
from safetensors import SafetensorError

import rfteach as rf
from rfteach._runs.saved_run import (
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from rfteach._runs.tensors import (
    fingerprint,
    function_name,
    held,
    load_tensors,
    save_tensors,
)

SETTINGS = {"steps": 10, "learning_rate": 0.1 + 0.2, "shapes": [[2, 3], [2]]}


def test_what_is_saved_comes_back_bit_for_bit(tmp_path, generator):
    tensors = {
        "weights": torch.randn(3, 4, generator=generator),
        "transposed": torch.randn(3, 4, generator=generator).T,
        "losses": torch.tensor([0.1, 1e300], dtype=torch.float64),
        "generator": generator.get_state(),
    }
    path = tmp_path / "new folder" / "run.safetensors"
    save_checkpoint(path, tensors, SETTINGS)
    loaded = load_checkpoint(path, json.loads(json.dumps(SETTINGS)))
    assert loaded.keys() == tensors.keys()
    for name, value in tensors.items():
        assert loaded[name].dtype == value.dtype and torch.equal(loaded[name], value)
    assert os.listdir(path.parent) == [path.name]


def test_tensors_come_back_with_the_header_they_were_saved_with(tmp_path, generator):
    path = tmp_path / "some.safetensors"
    tensors, header = {"a": torch.randn(3, generator=generator)}, {"format": "mine/1", "by": "me"}
    save_tensors(path, tensors, header)
    loaded, texts = load_tensors(path, "mine/1", "make it again")
    assert loaded.keys() == {"a"} and torch.equal(loaded["a"], tensors["a"])
    assert texts == header


@pytest.mark.parametrize("header", [{"format": "mine/2"}, {"by": "me"}])
def test_tensors_of_another_format_are_refused(header, tmp_path):
    save_tensors(tmp_path / "some.safetensors", {"a": torch.zeros(3)}, header)
    with pytest.raises(rf.CheckpointError, match="mine/1.*make it again$"):
        load_tensors(tmp_path / "some.safetensors", "mine/1", "make it again")


def test_a_setting_that_one_side_lacks_is_a_difference(tmp_path):
    """Such as one that a later version has added."""
    path, fewer = tmp_path / "run.safetensors", {"steps": 10, "shapes": SETTINGS["shapes"]}
    for saved, wanted in ((fewer, SETTINGS), (SETTINGS, fewer)):
        save_checkpoint(path, {"x": torch.zeros(2)}, saved)
        with pytest.raises(rf.CheckpointError, match="learning_rate = "):
            load_checkpoint(path, wanted)


def test_a_crash_while_saving_leaves_the_previous_file(tmp_path, monkeypatch):
    """A kill at the worst moment: the new file is written in part, the old one not yet replaced."""
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, {"x": torch.zeros(2)}, SETTINGS)

    def crash(tensors, file, metadata):
        file.write_bytes(b"half of a fi")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("rfteach._runs.tensors.save_file", crash)
        save_checkpoint(path, {"x": torch.ones(2)}, SETTINGS)
    assert load_checkpoint(path, SETTINGS)["x"].tolist() == [0, 0]
    save_checkpoint(path, {"x": torch.ones(2)}, SETTINGS)  # what was left over is no obstacle
    assert load_checkpoint(path, SETTINGS)["x"].tolist() == [1, 1]


def test_the_optimizer_goes_on_as_if_nothing_had_happened(generator):
    gradients = torch.randn(6, 3, generator=generator)
    weights, copies = torch.ones(3), torch.ones(3)
    optimizer = torch.optim.Adam([weights], lr=0.1, fused=True)
    for step, gradient in enumerate(gradients):
        if step == 3:
            copies.copy_(weights)
            resumed = torch.optim.Adam([copies], lr=0.1, fused=True)
            saved = {name: value.clone() for name, value in optimizer_tensors(optimizer).items()}
            restore_optimizer(resumed, {"something.else": torch.zeros(1)} | saved)
        weights.grad = gradient.clone()
        optimizer.step()
        if step >= 3:
            copies.grad = gradient.clone()
            resumed.step()
    assert torch.equal(weights, copies)


class LateTimes:
    def __call__(self, n, *, generator=None, device=None):
        return torch.ones(n)


def test_a_function_has_the_same_name_in_every_process():
    assert function_name(rf.uniform_times) == "uniform_times"
    assert function_name(LateTimes()) == "LateTimes"  # not its address
    early = functools.partial(rf.logit_normal_times, mean=-1.0)
    assert function_name(early) == "logit_normal_times(mean=-1.0)"
    twice = functools.partial(functools.partial(pow, 2), 3)
    assert function_name(twice) == "pow(2, 3)"


def test_the_fingerprint_of_a_module_holds_its_weights_and_its_buffers():
    """A buffer, such as a running mean, decides what a module returns as a weight does."""
    layer = torch.nn.BatchNorm1d(3)
    before = fingerprint(layer)
    assert fingerprint(torch.nn.BatchNorm1d(3)) == before
    for tensor in (layer.weight.data, layer.running_mean):
        tensor[1] += 1
        assert fingerprint(layer) != before
        tensor[1] -= 1
    assert fingerprint(layer) == before


def test_a_link_leads_to_the_file_that_is_written(tmp_path):
    file, link = tmp_path / "there" / "run.safetensors", tmp_path / "here.safetensors"
    save_checkpoint(file, {"x": torch.zeros(2)}, SETTINGS)
    link.symlink_to(file)
    save_checkpoint(link, {"x": torch.ones(2)}, SETTINGS)
    assert link.is_symlink() and load_checkpoint(file, SETTINGS)["x"].tolist() == [1, 1]


def test_a_disk_that_is_full_is_told_with_the_path(tmp_path, monkeypatch):
    def full(*arguments, **keywords):
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    path = tmp_path / "run.safetensors"
    save_checkpoint(path, {"x": torch.zeros(2)}, SETTINGS)
    with monkeypatch.context() as patch:
        patch.setattr("rfteach._runs.tensors.save_file", full)
        with pytest.raises(OSError, match=f"{path} cannot be written .*No space left.*make room"):
            save_checkpoint(path, {"x": torch.ones(2)}, SETTINGS)
    assert load_checkpoint(path, SETTINGS)["x"].tolist() == [0, 0]


@pytest.mark.parametrize("error", [OSError(errno.EOPNOTSUPP, "not supported"), NotImplementedError])
def test_a_disk_that_knows_no_locks_is_written_all_the_same(error, tmp_path, monkeypatch):
    """Such as a folder in a cloud, which is where many checkpoints lie."""

    def refuse(*arguments, **keywords):
        raise error

    monkeypatch.setattr("rfteach._runs.tensors.FileLock.acquire", refuse)
    with held(tmp_path / "run.safetensors", "pass another path"):
        save_checkpoint(tmp_path / "run.safetensors", {"x": torch.ones(2)}, SETTINGS)
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_the_arguments_of_a_function_have_one_name_in_all_processes(run_python):
    """The repr of an object may hold an address, which is another in each process."""
    program = (
        "import functools, torch, rfteach as rf\n"
        "from rfteach._runs.tensors import function_name\n"
        "def loss(v, x0, x1, t, path, law, weights): pass\n"
        "bound = functools.partial(\n"
        "    loss, path=rf.TRIGONOMETRIC, law=rf.Moons(), weights=torch.arange(3.0)\n"
        ")\n"
        "print(function_name(bound))"
    )
    names = [run_python(program).stdout for _ in range(2)]
    assert names[0] == names[1] and "loss(path=GaussianPath" in names[0] and "0x" not in names[0]


def test_a_file_has_the_permissions_of_the_readers_others(tmp_path):
    old = os.umask(0o027)
    try:
        save_tensors(tmp_path / "some.safetensors", {"a": torch.zeros(3)}, {"format": "mine/1"})
    finally:
        os.umask(old)
    assert (tmp_path / "some.safetensors").stat().st_mode & 0o777 == 0o640


def test_names_beside_a_file_that_are_somebody_elses(tmp_path):
    theirs = [tmp_path / "run.lock", tmp_path / "run.part"]
    for path in theirs:
        path.write_text("mine")
    with held(tmp_path / "run", "wait"):
        save_tensors(tmp_path / "run", {"a": torch.zeros(3)}, {"format": "mine/1"})
    assert all(path.read_text() == "mine" for path in theirs)


def test_two_links_to_one_file_are_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with (
        held(tmp_path / "run", "wait"),
        pytest.raises(rf.CheckpointError, match="another run is writing"),
        held(tmp_path / "link", "wait"),
    ):
        pass


def test_only_a_full_disk_asks_for_room(tmp_path, monkeypatch):
    def fail(tensors, file, metadata):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("rfteach._runs.tensors.save_file", fail)
    with pytest.raises(OSError, match="Input/output error.*; pass another path"):
        save_tensors(tmp_path / "run", {"a": torch.zeros(3)}, {"format": "mine/1"})
    assert os.listdir(tmp_path) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/run cannot be written .*; pass another path"):
        save_tensors(tmp_path / "file" / "run", {"a": torch.zeros(3)}, {"format": "mine/1"})
