"""The book as a PDF."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_pages_are_printed_with_an_outline(new_book):
    new_book.write("01_flows", "print('printed')")
    command = [sys.executable, "-m", "scripts.make_pdf", new_book.root]
    subprocess.run(command, cwd=ROOT, check=True)
    pdf = (new_book.root / "_build" / "rfteach.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and b"/Outlines" in pdf and b"(A chapter)" in pdf
