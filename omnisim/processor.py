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
PACKED = 16
"""Places that `pack` writes at most."""


def _splat(builder: Any, scalar: Any, lanes: int = LANES) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_INT, lanes), [0] * lanes))


def _load(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """Sixty-four numbers from place `at` on."""
    vector = ir.VectorType(ir.IntType(kind.dtype.bitwidth), LANES)
    place = builder.gep(context.make_array(kind)(context, builder, array).data, [at])
    loaded = builder.load(builder.bitcast(place, vector.as_pointer()))
    loaded.align = kind.dtype.bitwidth // 8
    return loaded


def _full(values: Any) -> Any:
    """The largest number in each lane."""
    return ir.Constant(values.type, [(1 << values.type.element.width) - 1] * LANES)


def _scaled(builder: Any, values: Any, factor: Any, shift: Any) -> Any:
    """At least values · factor · 2^(shift - bits): ⌊values · factor / 2^bits⌋ · 2^shift + 2^shift - 1, at most full."""
    narrow = values.type.element
    wide = ir.VectorType(ir.IntType(2 * narrow.width), LANES)
    product = builder.mul(builder.zext(values, wide), builder.zext(_splat(builder, factor), wide))
    high = builder.trunc(builder.lshr(product, ir.Constant(wide, [narrow.width] * LANES)), values.type)
    ones = ir.Constant(narrow, (1 << narrow.width) - 1)
    most = _splat(builder, builder.lshr(ones, shift))
    high = builder.select(builder.icmp_unsigned("<", high, most), high, most)
    rest = _splat(builder, builder.xor(builder.shl(ones, shift), ones))
    return builder.or_(builder.shl(high, _splat(builder, shift)), rest)


@intrinsic
def under(typing: Any, draws: Any, bound: Any, at: Any, factor: Any, shift: Any) -> Any:
    """Mask of the consumers at, … at + 63 whose draw is no larger than bound · factor · 2^(shift - bits), or whose
    bound is full.

    Parameters
    ----------
    draws, bound : uint8 or uint16 (n,)  of that many bits
    at : int  first of them; n ≥ at + 64
    factor, shift : of the same type  a scale, see `scan.scale`
    """
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        drawn, bounds = (_load(context, builder, signature.args[n], given[n], given[2]) for n in (0, 1))
        limit = _scaled(builder, bounds, given[3], given[4])
        hit = builder.or_(builder.icmp_unsigned("<=", drawn, limit), builder.icmp_unsigned("==", bounds, _full(bounds)))
        return builder.bitcast(hit, _WORD)

    return types.uint64(draws, bound, types.int64, bound.dtype, bound.dtype), generate


@intrinsic
def under_sum(typing: Any, draws: Any, bound: Any, at: Any, factor: Any, shift: Any, more: Any, factor_more: Any,
              shift_more: Any) -> Any:
    """As `under`, for the sum of two bounds, each with a scale of its own."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        drawn, bounds, others = (_load(context, builder, signature.args[n], given[n], given[2]) for n in (0, 1, 5))
        one = _scaled(builder, bounds, given[3], given[4])
        two = _scaled(builder, others, given[6], given[7])
        full = _full(bounds)
        total = builder.add(one, two)
        # what each term was rounded down by may add up to one more; a sum that wraps is full
        limit = builder.select(builder.icmp_unsigned("<", total, one), full, total)
        limit = builder.select(builder.icmp_unsigned("==", limit, full), full,
                               builder.add(limit, ir.Constant(bounds.type, [1] * LANES)))
        hit = builder.or_(builder.icmp_unsigned("<=", drawn, limit), builder.icmp_unsigned("==", bounds, full))
        return builder.bitcast(hit, _WORD)

    kind = bound.dtype
    return types.uint64(draws, bound, types.int64, kind, kind, more, kind, kind), generate


@intrinsic
def packs(typing: Any) -> Any:
    """Whether the processor that code is made for can gather the lanes of a mask by one instruction (AVX-512 VBMI2)."""
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return ir.Constant(_BIT, _has_vbmi2(context))

    return types.boolean(), generate


def _has_vbmi2(context: Any) -> bool:
    return "+avx512vbmi2" in context.codegen()._tm_features


@intrinsic
def pack(typing: Any, mask: Any, first: Any, places: Any, at: Any) -> Any:
    """Write first + n for each set bit n of a mask, the lowest sixteen at most, to `places` from `at` on.

    Sixteen places are written in any case; only where `packs`.
    """
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        if not _has_vbmi2(context):
            return context.get_dummy_value()
        bytes_ = ir.VectorType(_BYTE, LANES)
        call = ir.FunctionType(bytes_, [bytes_, bytes_, ir.VectorType(_BIT, LANES)])
        compress = cgutils.get_or_insert_function(builder.module, call, "llvm.x86.avx512.mask.compress.v64i8")
        lanes = builder.call(compress, [ir.Constant(bytes_, list(range(LANES))), ir.Constant(bytes_, [0] * LANES),
                                        builder.bitcast(given[0], ir.VectorType(_BIT, LANES))])
        lowest = builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(_INT, PACKED), list(range(PACKED))))
        wide = ir.VectorType(_INT, PACKED)
        numbers = builder.add(builder.zext(lowest, wide), _splat(builder, builder.trunc(given[1], _INT), PACKED))
        place = builder.gep(context.make_array(signature.args[2])(context, builder, given[2]).data, [given[3]])
        builder.store(numbers, builder.bitcast(place, wide.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(types.uint64, types.int64, places, types.int64), generate


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
