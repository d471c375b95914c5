"""Two-dimensional rotary position embedding, EVA style (METHOD section 2)."""

import torch
from torch import Tensor


def rotary_angles(height: int, width: int, head_dim: int, theta: float, device: torch.device) -> Tensor:
    """Angle of every channel at every token of a grid, at integer positions.

    Returns:
        float32 (height * width, head_dim): the first half of the head turns with the row, the second with the
        column; neighbouring channels form a pair and share an angle.
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
    """Angles (rows * columns, head_dim) at the given positions; head_dim must be a multiple of four."""
    axis_dim = head_dim // 2
    exponent = torch.arange(0, axis_dim, 2, dtype=torch.float32, device=rows.device) / axis_dim
    frequency = (1.0 / theta**exponent).repeat_interleave(2)
    by_row = (rows[:, None] * frequency)[:, None, :].expand(-1, len(columns), -1)
    by_column = (columns[:, None] * frequency)[None, :, :].expand(len(rows), -1, -1)
    return torch.cat([by_row, by_column], dim=-1).flatten(0, 1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the channel pairs of ``x`` (..., N, head_dim) by the angles whose cosine and sine are given."""
    even, odd = x[..., 0::2], x[..., 1::2]
    quarter_turn = torch.stack([-odd, even], dim=-1).flatten(-2)
    return x * cos + quarter_turn * sin
