"""The recurrent layers: see reference.py. The convolutional ones come from Keras, with torch as its backend."""

import os
from functools import partial

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from reference import case as one_case, write

case = partial(one_case, rows=2)

MODULES = {"rnn": torch.nn.RNN, "relu": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
GATES = {"rnn": 1, "relu": 1, "lstm": 4, "gru": 3}
# Of five steps: those that are not padding, and the number of steps before the padding at the end.
HOLES, TAIL = [0, 2, 3], 3


def shapes(kind, inputs, units, bias=True):
    """The shapes of the parameters of one direction."""
    columns = GATES[kind] * units
    biases = [(columns,)] * (2 if kind == "gru" else 1)
    return [(inputs, columns), (units, columns)] + (biases if bias else [])


def module(kind, units, params, bidirectional=False):
    """PyTorch's layer with our parameters, as a function."""
    options = {"nonlinearity": "relu"} if kind == "relu" else {}
    layer = MODULES[kind](params[0].shape[0], units, batch_first=True, bidirectional=bidirectional, **options)
    count = len(params) // (2 if bidirectional else 1)
    values = {}
    for suffix, own in zip(["", "_reverse"], [params[:count], params[count:]]):
        if own:
            weight, recurrent, *biases = own
            zeros = weight.new_zeros(weight.shape[1])
            b, bh = (biases + [zeros, zeros])[:2]
            parts = {"weight_ih": weight.t(), "weight_hh": recurrent.t(), "bias_ih": b, "bias_hh": bh}
            values |= {f"{name}_l0{suffix}": value for name, value in parts.items()}
    return lambda x: torch.func.functional_call(layer, values, (x,))


def run(kind, units, x, params, bidirectional=False):
    """All states, and the last states of both directions, concatenated."""
    states, last = module(kind, units, params, bidirectional)(x)
    last = last[0] if kind == "lstm" else last
    if isinstance(states, PackedSequence):
        states = pad_packed_sequence(states, batch_first=True, total_length=5)[0]
    return states, torch.cat(list(last), dim=1)


def all_steps(kind, units, **options):
    return lambda x, *params: run(kind, units, x, params, **options)[0]


def last_step(kind, units, **options):
    return lambda x, *params: run(kind, units, x, params, **options)[1]


def pack(x):
    return pack_padded_sequence(torch.relu(x), [TAIL] * len(x), batch_first=True)


def spread(states):
    """The states of the steps that are not padding, with zeros for the others."""
    y = states.new_zeros(states.shape[0], 5, states.shape[2])
    return y.index_copy(1, torch.tensor(HOLES), states)


def padded(padding):
    """Negative values in the steps that are padding, which the ReLU before the layer sets to 0."""
    return lambda i, v: numpy.where(padding(i // 2), -(0.1 + numpy.abs(v)), 0.1 + numpy.abs(v))


holes = padded(lambda step: (step == 1) | (step == 4))
tail = padded(lambda step: step >= TAIL)
sevens = lambda i, v: numpy.where(i // 3 == 2, 7.0, v)


def merged(kind, units, merge, last=False):
    def f(x, *params):
        y = run(kind, units, x, params, bidirectional=True)[1 if last else 0]
        return merge(*y.split(units, dim=-1))

    return f


def masked_stack(x, *params):
    states, _ = run("lstm", 3, pack(x), params[:3])
    return run("gru", 2, pack_padded_sequence(states, [TAIL] * len(x), batch_first=True), params[3:])[1]


def conv_lstm(layer, hidden, size, **options):
    """Keras' layer, whose weights are [..., inputs, 4 hidden] and [..., hidden, 4 hidden] for input and state.

    Ours has one weight, [4 hidden, inputs + hidden, ...]; the gates have the same order.
    """
    layer = layer(hidden, size, padding="same", recurrent_activation="sigmoid",
                  data_format="channels_first", dtype="float64", **options)  # fmt: skip

    def f(x, weight, *bias):
        if not layer.built:
            layer.build(x.shape)
        both = weight.permute(*range(2, weight.dim()), 1, 0)
        kernel, recurrent = both.split([x.shape[2], hidden], dim=-2)
        seeds = [variable.value for variable in layer.non_trainable_variables]
        return layer.stateless_call([kernel, recurrent, *bias], seeds, x)[0]

    return f


def pixels(layer):
    """For a weight [inputs + hidden, 4 hidden], with a kernel of one pixel."""
    return lambda x, weight: layer(x, weight.t()[:, :, None, None])


def masking_rnn(x, *params):
    return run("rnn", 3, x[:, [0, 1, 3]], params)[1]


def stack(x, *p):
    states = run("lstm", 3, x, p[:6], bidirectional=True)[0]
    states = run("gru", 2, states, p[6:10])[0]
    return run("rnn", 3, states, p[10:13])[1] @ p[13] + p[14]


back = lambda f: lambda x, *params: f(x.flip(1), *params)
holed = lambda f: lambda x, *params: f(torch.relu(x)[:, HOLES], *params)
packed = lambda f: lambda x, *params: f(pack(x), *params)
both = lambda kind, inputs, units: 2 * shapes(kind, inputs, units)

def leaky_rnn(x, w, r, b):
    """PyTorch has only tanh and ReLU."""
    h = x.new_zeros(len(x), len(r))
    for step in x.unbind(1):
        h = torch.nn.functional.leaky_relu(step @ w + h @ r + b)
    return h


write([
    case("rnn", [5, 3], shapes("rnn", 3, 4), last_step("rnn", 4)),
    case("rnn relu", [4, 2], shapes("relu", 2, 3), all_steps("relu", 3)),
    case("rnn one unit", [4, 1], shapes("rnn", 1, 1, bias=False), last_step("rnn", 1)),
    case("rnn masked", [5, 2], shapes("rnn", 2, 3), holed(last_step("rnn", 3)), value=holes),
    case("lstm", [5, 3], shapes("lstm", 3, 4), last_step("lstm", 4)),
    case("lstm sequences", [4, 2], shapes("lstm", 2, 3), all_steps("lstm", 3)),
    case("lstm without bias", [3, 2], shapes("lstm", 2, 2, bias=False), last_step("lstm", 2)),
    case("lstm backwards", [4, 2], shapes("lstm", 2, 3), back(last_step("lstm", 3))),
    case("lstm backwards sequences", [4, 2], shapes("lstm", 2, 3), back(all_steps("lstm", 3))),
    case("lstm masked", [5, 2], shapes("lstm", 2, 3), packed(last_step("lstm", 3)), value=tail),
    case("lstm masked sequences", [5, 2], shapes("lstm", 2, 3), lambda x, *p: spread(holed(all_steps("lstm", 3))(x, *p)), value=holes),
    case("lstm masked backwards", [5, 2], shapes("lstm", 2, 3), lambda x, *p: last_step("lstm", 3)(torch.relu(x)[:, :TAIL].flip(1), *p), value=tail),
    case("gru", [5, 3], shapes("gru", 3, 4), last_step("gru", 4)),
    case("gru sequences", [4, 2], shapes("gru", 2, 3), all_steps("gru", 3)),
    case("gru without bias", [3, 2], shapes("gru", 2, 3, bias=False), last_step("gru", 3)),
    case("gru masked", [5, 2], shapes("gru", 2, 3), holed(last_step("gru", 3)), value=holes),
    case("gru masked sequences", [5, 2], shapes("gru", 2, 3), packed(all_steps("gru", 3)), value=tail),
    case("bidirectional rnn", [4, 2], both("rnn", 2, 3), last_step("rnn", 3, bidirectional=True)),
    case("bidirectional lstm sequences", [4, 2], both("lstm", 2, 3), all_steps("lstm", 3, bidirectional=True)),
    case("bidirectional sum", [3, 2], both("gru", 2, 3), merged("gru", 3, torch.add)),
    case("bidirectional multiply", [3, 2], both("lstm", 2, 3), merged("lstm", 3, torch.mul, last=True)),
    case("bidirectional average", [3, 2], both("rnn", 2, 3), merged("rnn", 3, lambda a, b: (a + b) / 2)),
    case("bidirectional masked", [5, 2], both("lstm", 2, 3), packed(last_step("lstm", 3, bidirectional=True)), value=tail),
    case("bidirectional masked sequences", [5, 2], both("gru", 2, 2), lambda x, *p: spread(holed(all_steps("gru", 2, bidirectional=True))(x, *p)), value=holes),
    case("masked stack", [5, 2], shapes("lstm", 2, 3) + shapes("gru", 3, 2), masked_stack, value=tail),
    case("masking rnn", [4, 3], shapes("rnn", 3, 3), masking_rnn, value=sevens, ids=True),
    case("conv lstm", [3, 2, 2, 3], [(4, 8)], pixels(conv_lstm(keras.layers.ConvLSTM2D, 2, 1, use_bias=False))),
    case("conv lstm 3x3", [3, 2, 4, 3], [(8, 4, 3, 3), (8,)], conv_lstm(keras.layers.ConvLSTM2D, 2, 3)),
    case("conv lstm 1d", [3, 1, 4], [(8, 3, 3), (8,)], conv_lstm(keras.layers.ConvLSTM1D, 2, 3, return_sequences=True)),
    case("conv lstm backwards", [2, 1, 3, 2], [(4, 2, 3, 1), (4,)], conv_lstm(keras.layers.ConvLSTM2D, 1, (3, 1), go_backwards=True)),
    case("conv lstm dense", [3, 2], [(5, 12), (12,)], lambda x, w, b: last_step("lstm", 3)(x, w[:2], w[2:], b)),
    case("time distributed", [5, 3], [(3, 4), (4,)], lambda x, w, b: x @ w + b),
    case("masking", [4, 3], [], lambda x: x * (x != 7.0).any(-1, keepdim=True), value=sevens, ids=True),
    case("rnn sequences", [3, 2], shapes("rnn", 2, 5), all_steps("rnn", 5)),
    case("rnn backwards", [4, 2], shapes("rnn", 2, 3), back(last_step("rnn", 3))),
    case("gru backwards sequences", [4, 2], shapes("gru", 2, 3), back(all_steps("gru", 3))),
    case("bidirectional lstm", [4, 2], both("lstm", 2, 3), last_step("lstm", 3, bidirectional=True)),
    case("bidirectional gru sequences", [3, 3], both("gru", 3, 2), all_steps("gru", 2, bidirectional=True)),
    case("rnn leaky relu", [4, 2], shapes("rnn", 2, 3), leaky_rnn),
    case("rnn one step", [1, 4], shapes("rnn", 4, 3), last_step("rnn", 3)),
    case("lstm wide", [2, 7], shapes("lstm", 7, 19), all_steps("lstm", 19), rows=1),
    case("lstm one unit", [5, 1], shapes("lstm", 1, 1), all_steps("lstm", 1)),
    case("gru wide", [3, 5], shapes("gru", 5, 18), last_step("gru", 18), rows=1),
    case("gru one unit", [3, 1], shapes("gru", 1, 1), last_step("gru", 1)),
    case("bidirectional backwards", [3, 2], both("gru", 2, 2), back(last_step("gru", 2, bidirectional=True))),
    case("recurrent stack", [3, 2],
         both("lstm", 2, 3) + shapes("gru", 6, 2) + shapes("rnn", 2, 3) + [(3, 2), (2,)], stack),
])  # fmt: skip
