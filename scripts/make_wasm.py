"""Assemble the playground's WebAssembly: python -m scripts.make_wasm writes front/layer_wasm.js.

The assembled module is checked in beside its source, as text that the other parts import, so that
using the package needs no assembler. A test holds the two together.
"""

import base64
from pathlib import Path

from wasmtime import wat2wasm

SOURCE = Path(__file__).parents[1] / "rfteach" / "_widgets" / "front" / "layer.wat"
MODULE = SOURCE.with_name("layer_wasm.js")


def assemble() -> bytes:
    """Return the WebAssembly module that the source describes."""
    return bytes(wat2wasm(SOURCE.read_text(encoding="utf-8")))


def as_javascript(module: bytes) -> str:
    """Wrap it in an ES module, as base64."""
    text = base64.b64encode(module).decode()
    return (
        "// layer.wat, assembled: written by `python -m scripts.make_wasm`, do not edit.\n"
        f'export const LAYER_WASM =\n  "{text}";\n'
    )


if __name__ == "__main__":
    module = assemble()
    MODULE.write_text(as_javascript(module), encoding="utf-8")
    print(f"{MODULE.name}: {len(module)} bytes of WebAssembly")
