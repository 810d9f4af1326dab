"""Files that PyTorch wrote, and what its modules compute with them, for the tests beside this script.

    pip install torch==2.15.0 safetensors==0.8.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2
    python pytorch.py

It writes the folder `pytorch`. Weights and inputs are made by a rule, so that the files hold the same wherever they are made.
Then it loads the files that chainrule wrote, in the folder `chainrule`, into PyTorch's modules, and writes what these compute to
`chainrule/outputs.json`.
"""

import collections
import json
import os
import pathlib
import pickle
import zipfile

import numpy
import onnx
import torch
from safetensors.torch import load_file, save_file
from torch import nn

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "pytorch"
WRITTEN = HERE / "chainrule"
ROWS = 3


def fill(seed, count):
    """Numbers in [-1, 1) that look random."""
    mask = 0xFFFFFFFF
    k = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + seed * 40503 + 12345) & mask
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        k = ((k ^ (k >> 15)) * factor) & mask
    return (k ^ (k >> 16)).astype(numpy.float64) / 2.0**31 - 1.0


class Sequences:
    """A recurrent module that returns its outputs alone."""

    def forward(self, x):
        return super().forward(x)[0]


class Last:
    """A recurrent module that returns its last state alone."""

    def forward(self, x):
        state = super().forward(x)[1]
        state = state[0] if isinstance(state, tuple) else state
        return torch.cat(list(state), 1)


class LSTM(Sequences, nn.LSTM): pass  # noqa: E701
class LastLSTM(Last, nn.LSTM): pass  # noqa: E701
class LastGRU(Last, nn.GRU): pass  # noqa: E701
class LastRNN(Last, nn.RNN): pass  # noqa: E701
class GRU(Sequences, nn.GRU): pass  # noqa: E701


class Attention(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


class Cross(nn.MultiheadAttention):
    """From 3 steps with 4 features to 5 with 2, which a sample holds one after the other."""

    def forward(self, x):
        memory = x[:, 12:].unflatten(1, (5, 2))
        return super().forward(x[:, :12].unflatten(1, (3, 4)), memory, memory, need_weights=False)[0]


class Decoder(nn.TransformerDecoderLayer):
    """A target of 3 steps and a memory of 2, both with 4 features."""

    def forward(self, x):
        return super().forward(x[:, :12].unflatten(1, (3, 4)), x[:, 12:].unflatten(1, (2, 4)))


class Sum(nn.Sequential):
    def forward(self, x):
        return sum(module(x) for module in self)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Words(nn.Embedding):
    """Ids are numbers here."""

    def forward(self, x):
        return super().forward(x.long())


def batch(**options):
    return dict(batch_first=True, **options)


def nets():
    """The name, chainrule's description, the shape of a sample, and PyTorch's modules."""
    lenet = [
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(24, 5),
    ]
    return [
        ("mlp", "dense(6) then relu then batch_norm then dense(3) then softmax", [4],
         [nn.Linear(4, 6), nn.ReLU(), nn.BatchNorm1d(6), nn.Linear(6, 3), nn.Softmax(1)]),
        ("lenet",
         "conv2d(4, 3, padding=1) then relu then max_pool2d(2) then conv2d(6, 3) then batch_norm then relu then avg_pool2d(2) "
         "then flatten then dense(5)", [1, 12, 12], lenet),
        ("lstm", "lstm(4, sequences=true) then lstm(3)", [5, 2], [LSTM(2, 4, **batch()), LastLSTM(4, 3, **batch())]),
        ("gru", "bidirectional(gru(3, sequences=true)) then gru(2)", [4, 2],
         [GRU(2, 3, **batch(bidirectional=True)), LastGRU(6, 2, **batch())]),
        ("rnn", "bidirectional(rnn(3, activation=relu))", [4, 2],
         [LastRNN(2, 3, **batch(bidirectional=True, nonlinearity="relu"))]),
        ("no biases", "lstm(3, bias=false) then dense(2, bias=false)", [4, 2],
         [LastLSTM(2, 3, **batch(bias=False)), nn.Linear(3, 2, bias=False)]),
        ("attention", "multi_head_attention(2)", [5, 4], [Attention(4, 2, **batch())]),
        ("encoder", "transformer_encoder(2, 8) then transformer_encoder(2, 6, activation=gelu, pre_norm=true) then layer_norm", [3, 4],
         [nn.TransformerEncoderLayer(4, 2, 8, **batch()),
          nn.TransformerEncoderLayer(4, 2, 6, **batch(activation="gelu", norm_first=True)), nn.LayerNorm(4)]),
        ("cross-attention", "side_by_side(multi_head_attention(2), [[3, 4], [5, 2]])", [22], [Cross(4, 2, **batch(kdim=2, vdim=2))]),
        ("decoder", "side_by_side(transformer_decoder(2, 6), [[3, 4], [2, 4]])", [20], [Decoder(4, 2, 6, **batch())]),
        ("decoder pre-norm", "side_by_side(transformer_decoder(2, 6, pre_norm=true), [[3, 4], [2, 4]])", [20],
         [Decoder(4, 2, 6, **batch(norm_first=True))]),
        ("resnet",
         "conv2d(4, 3, padding=1, bias=false) then batch_norm then relu then branches(add, [sequential([conv2d(6, 3, stride=2, "
         "padding=1, bias=false), batch_norm, relu, conv2d(6, 3, padding=1, bias=false), batch_norm]), sequential([conv2d(6, 1, "
         "stride=2, bias=false), batch_norm])]) then relu then global_avg_pool then dense(3)", [2, 8, 8],
         [nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
          Sum(nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
                            nn.Conv2d(6, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)),
              nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))),
          nn.ReLU(), Mean(), nn.Linear(6, 3)]),
        ("words", "embedding(7, 4) then time_distributed(dense(3)) then flatten then dense(2)", [5],
         [Words(7, 4), nn.Linear(4, 3), nn.Flatten(), nn.Linear(15, 2)]),
        ("norms",
         "conv_transpose2d(4, 2, stride=2) then group_norm(2) then prelu then instance_norm(affine=true) then flatten then "
         "rms_norm then weight_norm(dense(3))", [2, 3, 3],
         [nn.ConvTranspose2d(2, 4, 2, stride=2), nn.GroupNorm(2, 4), nn.PReLU(), nn.InstanceNorm2d(4, affine=True), nn.Flatten(),
          nn.RMSNorm(144), nn.utils.parametrizations.weight_norm(nn.Linear(144, 3))]),
    ]  # fmt: skip


def filled(modules, seed):
    """The modules in a sequence, in evaluation, with weights by the rule; variances are positive."""
    net = nn.Sequential(*modules).eval()
    state = net.state_dict()
    for index, (name, tensor) in enumerate(state.items()):
        if tensor.dtype.is_floating_point:
            values = 0.5 * fill(seed + index, tensor.numel())
            values = 1.0 + values if name.endswith("running_var") else values
            state[name] = torch.tensor(values, dtype=torch.float32).reshape(tensor.shape)
    net.load_state_dict(state)
    return net


def samples(name, shape):
    x = fill(1, ROWS * int(numpy.prod(shape))).reshape(ROWS, *shape)
    x = numpy.floor(numpy.abs(x) * 1000) % 7 if name == "words" else x
    return torch.tensor(x, dtype=torch.float32)


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


def run(net, x):
    # The fast paths of PyTorch compute in another order.
    with torch.no_grad(), nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        return net(x)


class Evil:
    def __reduce__(self):
        return os.system, ("touch chainrule-was-here",)


def write_archive(path, pickled, storages=()):
    """A zip archive as torch.save writes it, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        members = [("data.pkl", pickled), ("byteorder", b"little"), *storages, ("version", b"3\n")]
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), data)


def files_of_pytorch():
    FOLDER.mkdir(exist_ok=True)
    cases = []
    for index, (name, description, shape, modules) in enumerate(nets()):
        net = filled(modules, 100 * index)
        torch.save(net.state_dict(), FOLDER / f"{name}.pt")
        x = samples(name, shape)
        cases.append({
            "name": name, "description": description, "input": shape, "x": numbers(x), "y": numbers(run(net, x)),
        })  # fmt: skip
    state = filled(nets()[0][3], 0).state_dict()
    torch.save(state, FOLDER / "mlp legacy.pt", _use_new_zipfile_serialization=False)
    save_file(state, FOLDER / "mlp.safetensors")
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    numpy.savez(FOLDER / "mlp.npz", **arrays)
    numpy.savez_compressed(FOLDER / "mlp compressed.npz", **arrays)
    for dtype in ["float16", "bfloat16", "float64"]:
        to = {n: t.to(getattr(torch, dtype)) if t.dtype.is_floating_point else t for n, t in state.items()}
        torch.save(to, FOLDER / f"mlp {dtype}.pt")
        save_file(to, FOLDER / f"mlp {dtype}.safetensors")
    net = filled(nets()[0][3], 0).train()
    optimizer = torch.optim.Adam(net.parameters(), 0.0)
    net(samples("mlp", [4])).sum().backward()
    optimizer.step()
    checkpoint = {"epoch": 3, "loss": 0.25, "model": state, "optimizer": optimizer.state_dict(), "names": ["a", ("b", None)]}
    torch.save(checkpoint, FOLDER / "checkpoint.pt")
    base = torch.arange(12.0)
    views = {"transposed": base.reshape(3, 4).t(), "part": base[2:5], "parameter": nn.Parameter(base[:2]),
             "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "ids": torch.tensor([1, -2]), "bits": torch.tensor([True])}  # fmt: skip
    for form in [False, True]:
        suffix = "" if form else " legacy"
        torch.save(views, FOLDER / f"views{suffix}.pt", _use_new_zipfile_serialization=form)
        torch.save({"a": Evil()}, FOLDER / f"evil{suffix}.pt", _use_new_zipfile_serialization=form)
        torch.save(nn.Linear(1, 1), FOLDER / f"whole module{suffix}.pt", _use_new_zipfile_serialization=form)
    torch.save({"a": torch.zeros(1).expand(1000)}, FOLDER / "expanded.pt")
    write_archive(FOLDER / "os.system.pt", pickle.dumps(collections.OrderedDict(a=Evil()), protocol=4))
    numpy.savez(FOLDER / "objects.npz", a=numpy.array([{}], dtype=object))
    (FOLDER / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


def graphs_of_pytorch():
    """By both of PyTorch's exporters, with a free axis of the batch."""
    for index, (name, _, shape, modules) in enumerate(nets()):
        if name == "norms":
            continue
        net, x = filled(modules, 100 * index), samples(name, shape)
        for dynamo in (True, False):
            if name == "rnn" and dynamo or name.startswith(("cross", "decoder")) and not dynamo:
                continue  # These have the steps of nn.RNN one by one, and the number of samples as a constant.
            path = FOLDER / f"{name}{'' if dynamo else ' traced'}.onnx"
            axes = dict(dynamic_shapes=({0: torch.export.Dim("batch")},)) if dynamo else dict(dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})
            if not dynamo and name not in ("mlp", "lenet", "resnet", "words"):
                axes["opset_version"] = 17
            torch.onnx.export(net, (x,), path, input_names=["x"], output_names=["y"], dynamo=dynamo, external_data=False, **axes)
            model = onnx.load(path)
            # What the nodes came from in Python: paths of this machine, and most of the file.
            for node in model.graph.node:
                del node.metadata_props[:]
                node.doc_string = ""
            for value in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
                del value.metadata_props[:]
            del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:], model.functions[:]
            onnx.save(model, path)


def outputs_of_chainrule():
    """What PyTorch computes with weights that chainrule wrote."""
    outputs = {}
    for name, _, shape, modules in nets():
        path = WRITTEN / f"{name}.safetensors"
        if path.exists():
            net = nn.Sequential(*modules).eval()
            net.load_state_dict(load_file(path), strict=True)
            outputs[name] = numbers(run(net, samples(name, shape)))
    if outputs:
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(y)}" for name, y in outputs.items())
        (WRITTEN / "outputs.json").write_text("{\n" + lines + "\n}\n")
    print(f"{len(nets())} nets, {len(outputs)} with weights of chainrule")


files_of_pytorch()
graphs_of_pytorch()
outputs_of_chainrule()
