"""Attention and the layers of transformers: see reference.py."""

import math

import numpy
import torch
from torch.nn.functional import linear, multi_head_attention_forward, scaled_dot_product_attention

from reference import case, write


def padded(index, v):
    return numpy.where((index // 4 == 1) | (index // 4 == 4), 0.0, v)


def all_padded(index, v):
    return numpy.where(index < 12, v, 0.0)


def shapes(features, heads, memory=None, groups=None, size=None, bias=True):
    """The parameters of MultiHeadAttention."""
    size = size or features // heads
    matrices = [(features, heads * size), (memory or features, 2 * (groups or heads) * size), (heads * size, features)]
    return [shape for w in matrices for shape in ([w, (w[1],)] if bias else [w])]


def padding(x):
    return (x == 0).all(-1)


def pytorch(x, wq, bq, wkv, bkv, wo, bo, heads=2, causal=False, masked=False):
    """PyTorch's MultiheadAttention, self-attention with all its parameters."""
    steps = x.shape[1]
    mask = torch.full((steps, steps), -math.inf).triu(1) if causal else None
    key_padding = torch.zeros(x.shape[:2]).masked_fill(padding(x), -math.inf) if masked else None
    y, _ = multi_head_attention_forward(
        *[x.transpose(0, 1)] * 3, x.shape[2], heads, torch.cat([wq, wkv], 1).t(), torch.cat([bq, bkv]),
        None, None, False, 0.0, wo.t(), bo, key_padding_mask=key_padding, need_weights=False, attn_mask=mask,
    )  # fmt: skip
    y = y.transpose(0, 1)
    return y * ~padding(x)[..., None] if masked else y


def turned(x, base):
    """RoFormer, equation 34, for x of shape [rows, heads, steps, size]."""
    steps, size = x.shape[-2:]
    angles = torch.arange(steps)[:, None] * base ** (-torch.arange(0, size, 2) / size)
    a, b = x[..., 0::2], x[..., 1::2]
    pairs = [a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()]
    return torch.stack(pairs, -1).flatten(-2)


def slopes(heads):
    """The function of the ALiBi paper's code."""
    if math.log2(heads).is_integer():
        start = 2 ** (-(2 ** -(math.log2(heads) - 3)))
        return [start * start**i for i in range(heads)]
    below = 2 ** math.floor(math.log2(heads))
    return slopes(below) + slopes(2 * below)[0::2][: heads - below]


def attention(heads, groups=None, causal=False, masked=False, rotary=None, alibi=False, bias=True):
    """The same from scaled_dot_product_attention, with what PyTorch's module has not."""

    def f(x, *params, memory=None):
        memory = x if memory is None else memory
        wq, bq, wkv, bkv, wo, bo = params if bias else [p for w in params for p in (w, None)]
        split = lambda x, count: x.unflatten(-1, (count, -1)).transpose(1, 2)
        q = split(linear(x, wq.t(), bq), heads)
        k, v = (split(part, groups or heads) for part in linear(memory, wkv.t(), bkv).chunk(2, -1))
        if rotary:
            q, k = turned(q, rotary), turned(k, rotary)
        steps, keys = q.shape[-2], k.shape[-2]
        mask = torch.zeros(x.shape[0], heads, steps, keys)
        distance = torch.arange(keys) - torch.arange(steps)[:, None]
        if alibi:
            mask = mask - torch.tensor(slopes(heads))[:, None, None] * distance.abs()
        if causal:
            mask = mask.masked_fill(distance > 0, -math.inf)
        if masked:
            mask = mask.masked_fill(padding(memory)[:, None, None, :], -math.inf)
        o = scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        # A query that sees nothing.
        o = torch.where((mask == -math.inf).all(-1)[..., None], 0.0, o)
        y = linear(o.transpose(1, 2).flatten(-2), wo.t(), bo)
        return y * ~padding(x)[..., None] if masked else y

    return f


def cross(f, first, second):
    """A function of two sequences that lie side by side."""

    def g(x, *params):
        x = x.flatten(1)
        cut = math.prod(first)
        return f(x[:, :cut].unflatten(1, first), *params, memory=x[:, cut:].unflatten(1, second))

    return g


def module(name, input, heads, value=None, **settings):
    f = lambda x, *params: pytorch(x, *params, heads=heads, **settings)
    return case(name, input, shapes(input[1], heads), f, rows=2, value=value, ids=value is not None)


def formula(name, input, heads, groups=None, size=None, value=None, bias=True, **settings):
    f = attention(heads, groups, bias=bias, **settings)
    return case(name, input, shapes(input[1], heads, None, groups, size, bias), f, 2, value, value is not None)


def joint(name, first, second, heads, groups=None, value=None, **settings):
    f = cross(attention(heads, groups, **settings), first, second)
    params = shapes(first[1], heads, second[1], groups)
    return case(name, [math.prod(first) + math.prod(second)], params, f, 2, value, value is not None)


write([
    module("attention", [5, 4], 2),
    module("attention causal", [5, 4], 2, causal=True),
    module("attention padded", [6, 4], 2, padded, masked=True),
    module("attention causal padded", [5, 4], 1, padded, causal=True, masked=True),
    formula("attention grouped", [4, 5], 4, 2, 3),
    formula("attention with one key head", [3, 6], 3, 1, bias=False),
    formula("attention causal in blocks", [70, 2], 1, causal=True, bias=False),
    formula("attention rotary", [5, 4], 2, rotary=1e4),
    formula("attention rotary grouped", [3, 8], 4, 2, rotary=50.0, causal=True),
    formula("attention alibi", [4, 6], 3, alibi=True),
    formula("attention alibi causal", [6, 4], 2, alibi=True, causal=True, rotary=1e4),
    joint("cross-attention", [3, 4], [5, 2], 2),
    joint("cross-attention padded", [3, 4], [2, 4], 2, value=padded, masked=True),
    joint("cross-attention to padding", [3, 4], [2, 4], 2, value=all_padded, masked=True),
])  # fmt: skip
