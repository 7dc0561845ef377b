"""Make the pictures of the first page's cards out of the built book: python -m scripts.cards

Each is a figure of its chapter, small and on white, in assets/cards.
"""

from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image, ImageOps

ROOT = Path(__file__).parents[1]
CARDS = ROOT / "assets" / "cards"
PAGES = ROOT / "_build" / "html" / "book"
SIZE = (480, 300)  # pixels, twice the size on the page
FIGURES = {
    "01_flows": "fig-flow-idea",
    "02_interpolation": "fig-interpolation-idea",
    "03_loss": "fig-loss-idea",
    "04_sampling": "fig-sampling-idea",
    "05_reflow": "fig-reflow-idea",
    "06_one_step": "fig-one-step-ladder",
    "07_theory": "fig-theory-bounce",
    "08_diffusion": "fig-diffusion-plane",
    "09_images": "fig-images-grow",
    "10_domain_transfer": "fig-transfer-idea",
    "11_stable_diffusion_3": "fig-sd3-prompts",
    "12_scaling_up": "fig-scaling-idea",
    "13_random_paths": "fig-random-idea",
    "14_density": "fig-density-idea",
    "15_flow_maps": "fig-maps-idea",
    "16_steering": "fig-steering-idea",
    "17_editing": "fig-editing-idea",
    "18_latents": "fig-latents-idea",
}


def drawn(page: Path, figure: str) -> Image.Image:
    """Return the image of a figure of a page."""
    tree = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    source = tree.select_one(f"figure#{figure} img")["src"]
    return Image.open(page.parent / source).convert("RGB")


def main() -> None:
    """Write all of them."""
    CARDS.mkdir(exist_ok=True)
    for chapter, figure in FIGURES.items():
        picture = ImageOps.pad(drawn(PAGES / f"{chapter}.html", figure), SIZE, color="white")
        picture.save(CARDS / f"{chapter}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
