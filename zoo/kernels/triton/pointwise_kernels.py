"""SALU, its gates and what a residual network has of them in a row: one kernel each way, for tensors in memory order.

Every operator here is: a stabiliser or nothing; a shortcut added as it is, after a stabiliser of its own, or none;
then a gate or none. Each part is compiled in or left out. (a, b), (e, f) and (c, d) are the scalars of stabiliser,
shortcut and gate, None where there is none. A program works on `steps` blocks in a row.
"""

import triton
import triton.language as tl

from zoo.kernels.triton.unit_kernels import exact, gated, pair, psi, relative_slope, total, unit

NO_SKIP = tl.constexpr(0)
RAW_SKIP = tl.constexpr(1)
STABLE_SKIP = tl.constexpr(2)
NO_GATE = tl.constexpr(0)
SWALU_GATE = tl.constexpr(1)
GALU_GATE = tl.constexpr(2)


@triton.jit
def strided(index, n1, n2, n3, s0, s1, s2, s3):
    """Compute the offset of element `index` in a strided tensor; of the outermost axis no size is needed."""
    i3 = index % n3
    index = index // n3
    i2 = index % n2
    index = index // n2
    i1 = index % n1
    i0 = index // n1
    return i0.to(tl.int64) * s0 + i1.to(tl.int64) * s1 + i2.to(tl.int64) * s2 + i3.to(tl.int64) * s3


@triton.jit
def read(x, start, lanes, inside, n1, n2, n3, s0, s1, s2, s3, STRIDED: tl.constexpr, WIDE: tl.constexpr):
    """One block of x in float32; `WIDE` counts elements in 64 bits."""
    if STRIDED:
        index = start.to(tl.int32) + lanes
        if WIDE:
            index = start + lanes
        pointers = x + strided(index, n1, n2, n3, s0, s1, s2, s3)
    else:
        pointers = x + start + lanes
    return tl.load(pointers, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)


@triton.jit
def load(pointer, start, lanes, inside):
    """One block of a tensor that lies in the kernel's order, in float32."""
    return tl.load(pointer + start + lanes, mask=inside, other=0.0, eviction_policy="evict_first").to(tl.float32)


@triton.jit
def store(pointer, start, lanes, inside, value):
    """The counterpart of `load`."""
    tl.store(pointer + start + lanes, value.to(pointer.dtype.element_ty), mask=inside)


@triton.jit
def forward_kernel(
    x, skip, y, a, b, e, f, c, d, n, steps, n1, n2, n3, s0, s1, s2, s3,
    STABILISE: tl.constexpr, SKIP: tl.constexpr, GATE: tl.constexpr,
    STRIDED: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """y, of this program's blocks."""
    first = tl.program_id(0).to(tl.int64) * steps
    lanes = tl.arange(0, BLOCK)
    branch_s, branch_size, _, _, _ = pair(a, b)
    short_s, short_size, _, _, _ = pair(e, f)
    gate_s, gate_size, _, _, _ = pair(c, d)
    for step in range(0, steps):
        start = (first + step) * BLOCK
        inside = lanes < n - start
        value = read(x, start, lanes, inside, n1, n2, n3, s0, s1, s2, s3, STRIDED, WIDE)
        if STABILISE:
            value = branch_size * exact(branch_s * value)
        if SKIP != NO_SKIP:
            short = load(skip, start, lanes, inside)
            if SKIP == STABLE_SKIP:
                short = short_size * exact(short_s * short)
            value = value + short
        if GATE == GALU_GATE:
            value = gated(value, exact(gate_s * psi(value)), gate_size)
        elif GATE == SWALU_GATE:
            value = gated(value, exact(gate_s * value), gate_size)
        store(y, start, lanes, inside, value)


@triton.jit
def stabilised(x, steepness, amplitude, WANTED: tl.constexpr):
    """SALU(x), t and r; if it is not wanted, x itself and something unused."""
    t, r = unit(steepness * x)
    if WANTED:
        x = amplitude * t
    return x, t, r


@triton.jit
def weights(slope, t, r):
    """Compute an element's share of the sums of a pair: slope · t·(1 + r²) and slope · t³."""
    return slope * t * (1 + r * r), slope * t * (t * t)


@triton.jit
def through_gate(slope, x, steepness, amplitude, GATE: tl.constexpr):
    """From the slope by the gate's result to that by its argument, and what goes to the sums of its pair."""
    bend = 1.0
    argument = x
    if GATE == GALU_GATE:
        argument = psi(x)
        bend = relative_slope(x)
    t, r = unit(steepness * argument)
    first, second = weights(slope * (x / 2), t, r)
    return slope * (0.5 + 0.5 * amplitude * t * (1 + bend * r * r)), first, second


@triton.jit
def through_stabiliser(slope, t, r, size):
    """The same for a stabiliser whose unit is known."""
    first, second = weights(slope, t, r)
    return slope * (size * r * r * r), first, second


@triton.jit
def store_sums(slot, apart, first, second, slope_a, slope_b, WANTED: tl.constexpr):
    """This program's share of the gradients of a pair, if it has one and they are wanted."""
    if WANTED:
        tl.store(slot, total(first) * slope_a)
        tl.store(slot + apart, total(second) * slope_b)


@triton.jit
def backward_kernel(
    grad, x, skip, dx, dskip, sums, a, b, e, f, c, d, n, steps, n1, n2, n3, s0, s1, s2, s3,
    STABILISE: tl.constexpr, SKIP: tl.constexpr, GATE: tl.constexpr, GATE_ROW: tl.constexpr, SUMS: tl.constexpr,
    STRIDED: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradients of this program's blocks, and its shares of those of the scalars: a row of `sums` for each.

    dx and dskip are None where they are not wanted; `sums` has no rows without `SUMS`.
    """
    program, programs = tl.program_id(0), tl.num_programs(0)
    lanes = tl.arange(0, BLOCK)
    branch_s, branch_size, size_a, slope_a, slope_b = pair(a, b)
    short_s, short_size, size_e, slope_e, slope_f = pair(e, f)
    gate_s, gate_size, _, slope_c, slope_d = pair(c, d)
    zeros = tl.full((BLOCK,), 0.0, tl.float32)
    sum_a, sum_b, sum_c, sum_d, sum_e, sum_f = zeros, zeros, zeros, zeros, zeros, zeros
    for step in range(0, steps):
        start = (program.to(tl.int64) * steps + step) * BLOCK
        inside = lanes < n - start
        slope = load(grad, start, lanes, inside)
        value = read(x, start, lanes, inside, n1, n2, n3, s0, s1, s2, s3, STRIDED, WIDE)
        value, t, r = stabilised(value, branch_s, branch_size, STABILISE)
        if SKIP != NO_SKIP:
            short = load(skip, start, lanes, inside)
            short, t_short, r_short = stabilised(short, short_s, short_size, SKIP == STABLE_SKIP)
            value = value + short
        if GATE != NO_GATE:
            slope, first, second = through_gate(slope, value, gate_s, gate_size, GATE)
            sum_c, sum_d = sum_c + first, sum_d + second
        slope_short = slope
        if SKIP == STABLE_SKIP:
            slope_short, first, second = through_stabiliser(slope, t_short, r_short, size_e)
            sum_e, sum_f = sum_e + first, sum_f + second
        if dskip is not None:
            store(dskip, start, lanes, inside, slope_short)
        if STABILISE:
            slope, first, second = through_stabiliser(slope, t, r, size_a)
            sum_a, sum_b = sum_a + first, sum_b + second
        if dx is not None:
            store(dx, start, lanes, inside, slope)
    slot = sums + program
    store_sums(slot, programs, sum_a, sum_b, slope_a, slope_b, SUMS and STABILISE)
    store_sums(slot + 2 * programs, programs, sum_e, sum_f, slope_e, slope_f, SUMS and SKIP == STABLE_SKIP)
    store_sums(slot + GATE_ROW * programs, programs, sum_c, sum_d, slope_c, slope_d, SUMS and GATE != NO_GATE)


@triton.jit
def finish_kernel(sums, programs, out0, out1, out2, out3, out4, out5, BLOCK: tl.constexpr):
    """Add up one row of `sums`, always in the same order, into the scalar's gradient; None skips a scalar."""
    row = tl.program_id(0)
    lanes = tl.arange(0, BLOCK)
    partial = tl.full((BLOCK,), 0.0, tl.float32)
    for start in range(0, programs, BLOCK):
        inside = lanes < programs - start
        partial += tl.load(sums + row * programs + start + lanes, mask=inside, other=0.0)
    result = total(partial)
    if out0 is not None:
        tl.store(out0, result.to(out0.dtype.element_ty), mask=row == 0)
    if out1 is not None:
        tl.store(out1, result.to(out1.dtype.element_ty), mask=row == 1)
    if out2 is not None:
        tl.store(out2, result.to(out2.dtype.element_ty), mask=row == 2)
    if out3 is not None:
        tl.store(out3, result.to(out3.dtype.element_ty), mask=row == 3)
    if out4 is not None:
        tl.store(out4, result.to(out4.dtype.element_ty), mask=row == 4)
    if out5 is not None:
        tl.store(out5, result.to(out5.dtype.element_ty), mask=row == 5)
