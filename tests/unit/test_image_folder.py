import numpy as np
import pytest
import torch
from PIL import Image

import rfteach as rf


def save(folder, name, pixels, mode=None):
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).convert(mode or "L").save(folder / name)


def test_images_come_gray_square_and_in_order(tmp_path):
    save(tmp_path, "b.png", np.full((8, 8), 255))
    save(tmp_path, "a.png", np.zeros((8, 8)), "RGB")
    save(tmp_path, "c.JPEG", np.full((8, 8), 127), "L")
    (tmp_path / "notes.txt").write_text("no image")
    images = rf.image_folder(tmp_path, size=4)
    assert images.shape == (3, 1, 4, 4) and images.dtype == torch.float32
    means = images.mean(dim=(1, 2, 3))
    assert torch.allclose(means, torch.tensor([-1.0, 1.0, 0.0]), atol=0.02)


def test_the_middle_square_is_kept(tmp_path):
    wide = np.zeros((4, 10))
    wide[:, 3:7] = 255
    save(tmp_path, "wide.png", wide)
    save(tmp_path, "tall.png", wide.T)
    assert (rf.image_folder(tmp_path, size=4) == 1).all()


def test_transparent_pixels_are_white(tmp_path):
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[:2, :, 3] = 255  # the upper half is opaque black
    Image.fromarray(pixels, "RGBA").save(tmp_path / "a.png")
    (image,) = rf.image_folder(tmp_path, size=4)
    assert (image[0, :2] == -1).all() and (image[0, 2:] == 1).all()


def test_a_photo_stands_upright(tmp_path):
    """A phone writes the pixels as its sensor has them, and says how it was held."""
    pixels = np.zeros((4, 4), dtype=np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    (image,) = rf.image_folder(tmp_path, size=4)
    assert (image[0, 3] == 1).all() and (image[0, :3] == -1).all()


def test_colors_are_kept_on_demand(tmp_path):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[..., 0], pixels[:2, :, 2] = 255, 255  # red below, purple above
    Image.fromarray(pixels).save(tmp_path / "a.png")
    save(tmp_path, "b.png", np.full((4, 4), 255))  # a gray one among them
    images = rf.image_folder(tmp_path, size=4, color=True)
    assert images.shape == (2, 3, 4, 4) and images.is_contiguous()
    red, green, blue = images[0]
    assert (red == 1).all() and (green == -1).all()
    assert (blue[:2] == 1).all() and (blue[2:] == -1).all()
    assert (images[1] == 1).all()


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        rf.image_folder(tmp_path / "missing")


def test_an_empty_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(FileNotFoundError, match="holds no images"):
        rf.image_folder(tmp_path)


def test_too_few_images(tmp_path):
    save(tmp_path, "a.png", np.zeros((4, 4)))
    with pytest.raises(ValueError, match="holds 1 images that can be read, but at least 2"):
        rf.image_folder(tmp_path, at_least=2)


def deep(path):
    Image.fromarray(np.full((4, 4), 30_000, dtype=np.uint16)).save(path)


def truncated(path):
    save(path.parent, path.name, np.random.default_rng(0).integers(0, 255, (40, 40)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    "make",
    [
        deep,
        truncated,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no image"),
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40)),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_left_out(tmp_path, make):
    save(tmp_path, "a.png", np.zeros((4, 4)))
    make(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=r"1 of 2 files .*b\.png"):
        assert len(rf.image_folder(tmp_path)) == 1
    (tmp_path / "a.png").unlink()
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="holds 0 images"):
        rf.image_folder(tmp_path)
