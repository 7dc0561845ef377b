"""A finite list of rows, drawn at random: data, pairs, pairs in files."""

from __future__ import annotations

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from rfteach._checks import check_count, check_generator


def where_to_draw(
    generator: torch.Generator | None, device: torch.device | str | None
) -> tuple[torch.device, torch.device]:
    """Return where random numbers are drawn (the generator's device), and where the points go.

    Raises:
        TypeError: the generator is none of PyTorch's.
    """
    check_generator(generator)
    device = torch.device(device) if device is not None else torch.get_default_device()
    return (device if generator is None else generator.device), device


class Rows:
    """Columns of equal length, drawn with replacement: what stands in one row stays together.

    Args:
        columns: tensors of shape (rows, ...); None stands for a column that is not there.
    """

    def __init__(self, *columns: Shaped[Tensor, "rows ..."] | None):
        self._columns = [column for column in columns if column is not None]

    def __len__(self) -> int:
        return len(self._columns[0])

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Shaped[Tensor, "n ..."], ...]:
        """Draw `n` rows, a tensor for each column: for pairs x0, x1 and, if any, the condition.

        Args:
            n: number of rows, at least 1.
            generator: source of randomness; PyTorch's global one when None.
            device: where the rows end up; PyTorch's default device when None.

        Raises:
            ValueError: `n` is below 1.
            TypeError: `n` is not an integer, or the generator none of PyTorch's.
        """
        check_count("n", n)
        draw_on, device = where_to_draw(generator, device)
        rows = torch.randint(len(self), (n,), generator=generator, device=draw_on)
        return tuple(column.to(device) for column in self._take(rows))

    def _take(self, rows: Int[Tensor, " n"]) -> list[Shaped[Tensor, "n ..."]]:
        return [column[rows.to(column.device)] for column in self._columns]
