"""Two-dimensional rotary position embedding, EVA style (docs/method.md#backbone)."""

import torch
from torch import Tensor


def rotary_angles(height: int, width: int, head_dim: int, theta: float, device: torch.device) -> Tensor:
    """Angle of every channel pair at every token of a grid, at integer positions.

    Returns:
        float32 (height * width, head_dim / 2): neighbouring channels form a pair; the first half of the pairs turns
        with the row, the second with the column.
    """
    rows = torch.arange(height, dtype=torch.float32, device=device)
    columns = torch.arange(width, dtype=torch.float32, device=device)
    return angles_at(rows, columns, head_dim, theta)


def rescaled_angles(
    height: int, width: int, trained: int, head_dim: int, theta: float, device: torch.device
) -> Tensor:
    """Angles with the positions of each axis squeezed to the trained range: i * trained / n.

    The reference does this for squares; each axis by itself serves any aspect ratio.
    """
    rows = torch.arange(height, dtype=torch.float32, device=device) / height * trained
    columns = torch.arange(width, dtype=torch.float32, device=device) / width * trained
    return angles_at(rows, columns, head_dim, theta)


def angles_at(rows: Tensor, columns: Tensor, head_dim: int, theta: float) -> Tensor:
    """Angles (rows * columns, head_dim / 2) at the given positions; head_dim must be a multiple of four."""
    axis_dim = head_dim // 2
    exponent = torch.arange(0, axis_dim, 2, dtype=torch.float32, device=rows.device) / axis_dim
    frequency = 1.0 / theta**exponent
    by_row = (rows[:, None] * frequency)[:, None, :].expand(-1, len(columns), -1)
    by_column = (columns[:, None] * frequency)[None, :, :].expand(len(rows), -1, -1)
    return torch.cat([by_row, by_column], dim=-1).flatten(0, 1)
