"""FleS inside Triton: the gate, its gradients, the mean over elements >= 0 and its gradient.

All see x as samples times channels times positions, each with one stride (`s`, `c`, `p` after the tensor's name). A
program works on one sample and on `steps` tiles of positions (first axis) times channels (second axis); its sums over
positions go to a slot of its own, one number a channel: `sums` is (quantity, sample, slot, channel), and `apart` the
step between its quantities.
"""

import triton
import triton.language as tl

from zoo.kernels.triton.unit_kernels import ADD


@triton.jit
def place(slots, columns, TILE_C: tl.constexpr):
    """Compute this program's part: sample, slot among those of its sample, first channel; all in 64 bits."""
    program = tl.program_id(0)
    slot = program % slots
    column = (program // slots) % columns
    sample = program // slots // columns
    return sample.to(tl.int64), slot.to(tl.int64), column.to(tl.int64) * TILE_C


@triton.jit
def tile(pointer, c, p, by_channel, by_position):
    """Compute the addresses of a tile's elements from that of its sample."""
    return pointer + p[:, None] * by_position + c[None, :] * by_channel


@triton.jit
def read(pointers, inside):
    """A tile in float32, of a tensor that no kernel reads soon after."""
    return tl.load(pointers, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)


@triton.jit
def sigmoid(z):
    """1 / (1 + exp(-z)), with the limits 0 and 1."""
    return 1 / (1 + tl.exp(-z))


@triton.jit
def gate_kernel(
    x, y, vertical, horizontal, channels, positions, slots, columns,
    xs, xc, xp, ys, yc, yp, vs, vc, hs, hc,
    TILE_P: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    """y = v · σ(h·x) · x."""
    sample, slot, first = place(slots, columns, TILE_C)
    c = first + tl.arange(0, TILE_C)
    p = slot * TILE_P + tl.arange(0, TILE_P)
    inside = (p < positions)[:, None] & (c < channels)[None, :]
    v = tl.load(vertical + sample * vs + c * vc, mask=c < channels, other=0.0).to(tl.float32)
    h = tl.load(horizontal + sample * hs + c * hc, mask=c < channels, other=0.0).to(tl.float32)
    value = read(tile(x + sample * xs, c, p, xc, xp), inside)
    result = v[None, :] * (sigmoid(h[None, :] * value) * value)
    tl.store(tile(y + sample * ys, c, p, yc, yp), result.to(y.dtype.element_ty), mask=inside)


@triton.jit
def gate_backward_kernel(
    grad, x, dx, sums, vertical, horizontal, channels, positions, steps, slots, columns, apart,
    gs, gc, gp, xs, xc, xp, ds, dc, dp, vs, vc, hs, hc,
    TILE_P: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    """dx = g·v·(σ + h·x·σ·(1-σ)) and the sums of g·σ·x and g·v·x²·σ·(1-σ); dx and sums are None if not wanted."""
    sample, slot, first = place(slots, columns, TILE_C)
    c = first + tl.arange(0, TILE_C)
    v = tl.load(vertical + sample * vs + c * vc, mask=c < channels, other=0.0).to(tl.float32)
    h = tl.load(horizontal + sample * hs + c * hc, mask=c < channels, other=0.0).to(tl.float32)
    sum_v = tl.full((TILE_P, TILE_C), 0.0, tl.float32)
    sum_h = tl.full((TILE_P, TILE_C), 0.0, tl.float32)
    for step in range(0, steps):
        p = (slot * steps + step) * TILE_P + tl.arange(0, TILE_P)
        inside = (p < positions)[:, None] & (c < channels)[None, :]
        value = tl.load(tile(x + sample * xs, c, p, xc, xp), mask=inside, other=0.0).to(tl.float32)
        slope = read(tile(grad + sample * gs, c, p, gc, gp), inside)
        gate = sigmoid(h[None, :] * value)
        bend = value * gate * (1 - gate)
        if dx is not None:
            result = slope * (v[None, :] * (gate + h[None, :] * bend))
            tl.store(tile(dx + sample * ds, c, p, dc, dp), result.to(dx.dtype.element_ty), mask=inside)
        sum_v += slope * (gate * value)
        sum_h += slope * (value * bend)
    if sums is not None:
        at = sums + (sample * slots + slot) * channels + c
        tl.store(at, tl.reduce(sum_v, 0, ADD), mask=c < channels)
        tl.store(at + apart, tl.reduce(sum_h, 0, ADD) * v, mask=c < channels)


@triton.jit
def mean_kernel(
    x, keep, sums, channels, positions, steps, slots, columns, apart, xs, xc, xp, ks, kp,
    TILE_P: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    """The sums of positive and the numbers of negative elements; NaN stays NaN. `keep` is nonzero where one counts."""
    sample, slot, first = place(slots, columns, TILE_C)
    c = first + tl.arange(0, TILE_C)
    sum_x = tl.full((TILE_P, TILE_C), 0.0, tl.float32)
    count = tl.full((TILE_P, TILE_C), 0.0, tl.float32)
    for step in range(0, steps):
        p = (slot * steps + step) * TILE_P + tl.arange(0, TILE_P)
        inside = (p < positions)[:, None] & (c < channels)[None, :]
        value = tl.load(tile(x + sample * xs, c, p, xc, xp), mask=inside, other=0.0).to(tl.float32)
        if keep is not None:
            kept = tl.load(keep + sample * ks + p * kp, mask=p < positions, other=0)
            value = tl.where((kept != 0)[:, None], value, 0.0)
        sum_x += tl.where(value <= 0, 0.0, value)
        count += tl.where(value >= 0, 0.0, 1.0)
    at = sums + (sample * slots + slot) * channels + c
    tl.store(at, tl.reduce(sum_x, 0, ADD), mask=c < channels)
    tl.store(at + apart, tl.reduce(count, 0, ADD), mask=c < channels)


@triton.jit
def mean_backward_kernel(
    share, x, keep, dx, channels, positions, slots, columns, xs, xc, xp, ks, kp, ds, dc, dp,
    TILE_P: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    """dx = share of its sample and channel where x counts, and 0 elsewhere; `share` is (samples, channels)."""
    sample, slot, first = place(slots, columns, TILE_C)
    c = first + tl.arange(0, TILE_C)
    p = slot * TILE_P + tl.arange(0, TILE_P)
    inside = (p < positions)[:, None] & (c < channels)[None, :]
    part = tl.load(share + sample * channels + c, mask=c < channels, other=0.0)[None, :]
    value = read(tile(x + sample * xs, c, p, xc, xp), inside)
    result = tl.where(value <= 0, 0.0, part)
    if keep is not None:
        kept = tl.load(keep + sample * ks + p * kp, mask=p < positions, other=0)
        result = tl.where((kept != 0)[:, None], result, 0.0)
    tl.store(tile(dx + sample * ds, c, p, dc, dp), result.to(dx.dtype.element_ty), mask=inside)
