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
    """The same by scaled_dot_product_attention, with features that PyTorch's module lacks."""

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
        # A query whose keys are all masked.
        o = torch.where((mask == -math.inf).all(-1)[..., None], 0.0, o)
        y = linear(o.transpose(1, 2).flatten(-2), wo.t(), bo)
        return y * ~padding(x)[..., None] if masked else y

    return f


def cross(f, first, second):
    """A function of two sequences, concatenated in the input."""

    def g(x, *params):
        x = x.flatten(1)
        cut = math.prod(first)
        return f(x[:, :cut].unflatten(1, first), *params, memory=x[:, cut:].unflatten(1, second))

    return g


def dot(name, value=None, masked=False, **settings):
    """Queries, keys and values, concatenated in the input."""

    def f(x):
        q, k, v = (part.unflatten(1, (-1, n)) for part, n in zip(x.split([6, 8, 20], 1), (2, 2, 5)))
        mask = ~padding(k)[:, None, :] if masked else None
        y = scaled_dot_product_attention(q, k, v, mask, **settings)
        return y * ~padding(q)[..., None] if masked else y

    return case(name, [34], [], f, 2, value, value is not None)


ATTENTION = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]


def loaded(params, prefix):
    """The parameters of attention under PyTorch's names."""
    wq, bq, wkv, bkv, wo, bo = params
    values = [torch.cat([wq, wkv], 1).t(), torch.cat([bq, bkv]), wo.t(), bo]
    return {f"{prefix}.{name}": value for name, value in zip(ATTENTION, values)}


def dense(params):
    w1, b1, w2, b2 = params
    return {"linear1.weight": w1.t(), "linear1.bias": b1, "linear2.weight": w2.t(), "linear2.bias": b2}


def norm(index, params):
    return {f"norm{index}.weight": params[0], f"norm{index}.bias": params[1]}


NORM, DENSE = [(4,), (4,)], [(4, 3), (3,), (3, 4), (4,)]


def encoder(name, pre_norm=False, causal=False, value=None, activation="relu"):
    layer = torch.nn.TransformerEncoderLayer(4, 2, 3, 0.0, activation, batch_first=True, norm_first=pre_norm)
    parts = [NORM, shapes(4, 2), NORM, DENSE] if pre_norm else [shapes(4, 2), NORM, DENSE, NORM]

    def f(x, *p):
        if pre_norm:
            named = norm(1, p[:2]) | loaded(p[2:8], "self_attn") | norm(2, p[8:10]) | dense(p[10:])
        else:
            named = loaded(p[:6], "self_attn") | norm(1, p[6:8]) | dense(p[8:12]) | norm(2, p[12:])
        mask = torch.ones(x.shape[1], x.shape[1]).triu(1).bool() if causal else None
        settings = {"src_mask": mask, "src_key_padding_mask": padding(x) if value else None}
        y = torch.func.functional_call(layer, named, (x,), settings)
        return y * ~padding(x)[..., None] if value else y

    return case(name, [3, 4], sum(parts, []), f, 1, value, value is not None)


def decoder(name, pre_norm=False, causal=False, value=None):
    layer = torch.nn.TransformerDecoderLayer(4, 2, 3, 0.0, batch_first=True, norm_first=pre_norm)
    own = shapes(4, 2)
    parts = [NORM, own, NORM, own, NORM, DENSE] if pre_norm else [own, NORM, own, NORM, DENSE, NORM]

    def f(x, *p, memory):
        if pre_norm:
            named = norm(1, p[:2]) | loaded(p[2:8], "self_attn") | norm(2, p[8:10])
            named |= loaded(p[10:16], "multihead_attn") | norm(3, p[16:18]) | dense(p[18:])
        else:
            named = loaded(p[:6], "self_attn") | norm(1, p[6:8]) | loaded(p[8:14], "multihead_attn")
            named |= norm(2, p[14:16]) | dense(p[16:20]) | norm(3, p[20:])
        settings = {"tgt_mask": torch.ones(3, 3).triu(1).bool() if causal else None}
        if value:
            settings |= {"tgt_key_padding_mask": padding(x), "memory_key_padding_mask": padding(memory)}
        y = torch.func.functional_call(layer, named, (x, memory), settings)
        return y * ~padding(x)[..., None] if value else y

    return case(name, [20], sum(parts, []), cross(f, [3, 4], [2, 4]), 1, value, value is not None)


def sinusoidal(x):
    """As in PyTorch's tutorial on transformers."""
    steps, features = x.shape[1:]
    angles = torch.arange(steps)[:, None] / 10000 ** (torch.arange(0, features, 2) / features)
    positions = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :features]
    return x + positions


def patches(x, size):
    return torch.nn.functional.unfold(x, size, stride=size).transpose(1, 2)


def tanh_encoder(x, *p):
    layer = torch.nn.TransformerEncoderLayer(3, 1, 5, 0.0, torch.tanh, batch_first=True)
    named = loaded(p[:6], "self_attn") | norm(1, p[6:8]) | dense(p[8:12]) | norm(2, p[12:])
    return torch.func.functional_call(layer, named, (x,))


def module(name, input, heads, value=None, **settings):
    f = lambda x, *params: pytorch(x, *params, heads=heads, **settings)
    return case(name, input, shapes(input[1], heads), f, rows=2, value=value, ids=value is not None)


def formula(name, input, heads, groups=None, size=None, bias=True, **settings):
    f = attention(heads, groups, bias=bias, **settings)
    return case(name, input, shapes(input[1], heads, None, groups, size, bias), f, 1)


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
    dot("dot-product attention"),
    dot("dot-product attention causal", is_causal=True, scale=2.0),
    dot("dot-product attention padded", lambda i, v: numpy.where(numpy.isin(i, [2, 3, 8, 9, 12, 13]), 0.0, v), True),
    encoder("encoder"),
    encoder("encoder pre-norm", pre_norm=True, causal=True, activation="gelu"),
    encoder("encoder padded", value=padded),
    encoder("encoder pre-norm padded", pre_norm=True, value=padded),
    decoder("decoder", causal=True),
    decoder("decoder pre-norm", pre_norm=True),
    decoder("decoder padded", causal=True, value=padded),
    case("sinusoidal positions", [4, 5], [], sinusoidal, rows=1),
    case("patches", [2, 4, 6], [], lambda x: patches(x, 2), rows=1),
    case("learned positions", [3, 17], [(3, 17)], lambda x, p: x + p, rows=2),
    case("class token", [3, 4], [(4,)], lambda x, t: torch.cat([t.expand(len(x), 1, 4), x], 1), rows=2),
    case("first step", [3, 4], [], lambda x: x[:, 0], rows=1),
    case("last step", [3, 4], [], lambda x: x[:, -1], rows=1),
    module("attention of one step", [1, 3], 1),
    module("attention of padding", [3, 4], 2, lambda i, v: 0.0 * v, masked=True),
    formula("attention masked", [4, 4], 2, masked=True),
    formula("attention with dropout", [4, 4], 2),
    case("attention with all", [6, 4], shapes(4, 2),
         attention(2, alibi=True, causal=True, rotary=1e4, masked=True), 2, padded, True),
    joint("cross-attention grouped", [3, 4], [5, 2], 4, 2),
    case("encoder with dropout", [3, 3], shapes(3, 1) + [(3,), (3,), (3, 5), (5,), (5, 3), (3,), (3,), (3,)],
         tanh_encoder, rows=1),
    decoder("decoder pre-norm padded", pre_norm=True, value=padded),
    case("sinusoidal positions padded", [5, 4], [], lambda x: sinusoidal(x) * ~padding(x)[..., None], 2, padded, True),
    case("learned positions padded", [5, 4], [(5, 4)], lambda x, p: (x + p) * ~padding(x)[..., None], 2, padded, True),
    case("patches of one", [3, 2, 1], [], lambda x: patches(x, 1), rows=1),
])  # fmt: skip
