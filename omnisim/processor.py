"""What compiled code asks of the processor directly: masks of sixty-four consumers, the bits of a number, memory ahead.

Everything here is whole-number arithmetic that the compiler maps to what the processor has (AVX-512, AVX2 or plainer),
so the bits are the same everywhere; `prefetch` only tells the processor what will be read soon.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic as _intrinsic

intrinsic: Any = _intrinsic
LANES = 64
"""Consumers that one mask speaks of, lowest bit first."""

_BIT, _BYTE, _SHORT, _INT, _WORD = (ir.IntType(width) for width in (1, 8, 16, 32, 64))
_SHORTS = ir.VectorType(_SHORT, LANES)
_FULL = ir.Constant(_SHORTS, [65535] * LANES)


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_SHORTS, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))


def _load(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """Sixty-four 16-bit numbers from place `at` on."""
    place = builder.gep(context.make_array(kind)(context, builder, array).data, [at])
    loaded = builder.load(builder.bitcast(place, _SHORTS.as_pointer()))
    loaded.align = 2
    return loaded


def _scaled(builder: Any, values: Any, factor: Any, shift: Any) -> Any:
    """At least values · factor · 2^(shift - 16): ⌊values · factor / 2^16⌋ · 2^shift + 2^shift - 1, at most 65535."""
    wide = ir.VectorType(_INT, LANES)
    product = builder.mul(builder.zext(values, wide), builder.zext(_splat(builder, factor), wide))
    high = builder.trunc(builder.lshr(product, ir.Constant(wide, [16] * LANES)), _SHORTS)
    ones = ir.Constant(_SHORT, 65535)
    most = _splat(builder, builder.lshr(ones, shift))
    high = builder.select(builder.icmp_unsigned("<", high, most), high, most)
    rest = _splat(builder, builder.xor(builder.shl(ones, shift), ones))
    return builder.or_(builder.shl(high, _splat(builder, shift)), rest)


@intrinsic
def under(typing: Any, draws: Any, bound: Any, at: Any, factor: Any, shift: Any) -> Any:
    """Mask of the consumers at, … at + 63 whose draw is no larger than bound · factor · 2^(shift - 16), or whose bound
    is full (65535).

    Parameters
    ----------
    draws, bound : uint16 (n,)
    at : int  first of them; n ≥ at + 64
    factor, shift : uint16  a scale, see `scan.scale`
    """
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        drawn, bounds = (_load(context, builder, signature.args[n], given[n], given[2]) for n in (0, 1))
        limit = _scaled(builder, bounds, given[3], given[4])
        hit = builder.or_(builder.icmp_unsigned("<=", drawn, limit), builder.icmp_unsigned("==", bounds, _FULL))
        return builder.bitcast(hit, _WORD)

    return types.uint64(draws, bound, types.int64, types.uint16, types.uint16), generate


@intrinsic
def under_sum(typing: Any, draws: Any, bound: Any, at: Any, factor: Any, shift: Any, more: Any, factor_more: Any,
              shift_more: Any) -> Any:
    """As `under`, for the sum of two bounds, each with a scale of its own."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        drawn, bounds, others = (_load(context, builder, signature.args[n], given[n], given[2]) for n in (0, 1, 5))
        one = _scaled(builder, bounds, given[3], given[4])
        two = _scaled(builder, others, given[6], given[7])
        total = builder.add(one, two)
        # what each term was rounded down by may add up to one more; a sum that wraps is full
        limit = builder.select(builder.icmp_unsigned("<", total, one), _FULL, total)
        limit = builder.select(builder.icmp_unsigned("==", limit, _FULL), _FULL,
                               builder.add(limit, ir.Constant(_SHORTS, [1] * LANES)))
        hit = builder.or_(builder.icmp_unsigned("<=", drawn, limit), builder.icmp_unsigned("==", bounds, _FULL))
        return builder.bitcast(hit, _WORD)

    return types.uint64(draws, bound, types.int64, types.uint16, types.uint16, more, types.uint16,
                        types.uint16), generate


@intrinsic
def equal(typing: Any, values: Any, at: Any, value: Any) -> Any:
    """Mask of the places at, … at + 63 of an int16 array that hold the value."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        loaded = _load(context, builder, signature.args[0], given[0], given[1])
        return builder.bitcast(builder.icmp_unsigned("==", loaded, _splat(builder, given[2])), _WORD)

    return types.uint64(values, types.int64, types.int16), generate


@intrinsic
def lowest(typing: Any, mask: Any) -> Any:
    """Place of the lowest set bit of a mask; 64 if none is set."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(_BIT, 0))

    return types.int64(types.uint64), generate


@intrinsic
def ones(typing: Any, mask: Any) -> Any:
    """Number of set bits of a mask."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.ctpop(given[0])

    return types.int64(types.uint64), generate


@intrinsic
def prefetch(typing: Any, array: Any, row: Any) -> Any:
    """Ask for the memory of a row of an array; changes nothing."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, given[0])
        step = builder.extract_value(view.strides, 0)
        address = builder.add(builder.ptrtoint(view.data, _WORD), builder.mul(step, given[1]))
        place = builder.inttoptr(address, _BYTE.as_pointer())
        call = ir.FunctionType(ir.VoidType(), [place.type, _INT, _INT, _INT])
        fetch = cgutils.get_or_insert_function(builder.module, call, "llvm.prefetch.p0")
        builder.call(fetch, [place, ir.Constant(_INT, 0), ir.Constant(_INT, 3), ir.Constant(_INT, 1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic
def bits_of(typing: Any, number: Any) -> Any:
    """The 64 bits of a double: sign, eleven of exponent, 52 of mantissa (IEEE 754)."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bitcast(given[0], _WORD)

    return types.int64(types.float64), generate


@intrinsic
def from_bits(typing: Any, bits: Any) -> Any:
    """The double of 64 bits."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.DoubleType())

    return types.float64(types.int64), generate
