"""The shape layers: see reference.py. Where PyTorch has no layer, Keras with torch as its backend is the reference."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
from torch.nn import functional as F

from reference import case, write

keras.config.set_floatx("float64")
first = "channels_first"

write([
    case("permute", [2, 3, 4], [], lambda x: x.permute(0, 3, 1, 2)),
    case("zero padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (0, 3, 1, 2)), rows=1),
    case("constant padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (2, 2, 1, 1), value=2.5), rows=1),
    case("reflection padding 1d", [2, 4], [], lambda x: F.pad(x, (3, 2), "reflect")),
    case("reflection padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (0, 3, 1, 2), "reflect"), rows=1),
    case("replication padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (5, 3, 1, 2), "replicate"), rows=1),
    case("circular padding 1d", [2, 4], [], lambda x: F.pad(x, (4, 3), "circular")),
    case("circular padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (0, 3, 1, 2), "circular"), rows=1),
    case("upsampling 1d", [2, 4], [], lambda x: F.interpolate(x, scale_factor=3)),
    case("upsampling 2d", [2, 3, 2], [], lambda x: F.interpolate(x, scale_factor=(2, 3))),
    case("linear upsampling 1d", [2, 4], [], lambda x: F.interpolate(x, scale_factor=3, mode="linear")),
    case("bilinear upsampling 2d", [2, 3, 4], [],
         lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear")),
    case("bilinear upsampling 2d aligned", [2, 3, 4], [],
         lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=True), rows=1),
    case("trilinear upsampling 3d", [1, 2, 3, 2], [],
         lambda x: F.interpolate(x, scale_factor=2, mode="trilinear"), rows=1),
    case("pixel shuffle", [8, 2, 3], [], lambda x: F.pixel_shuffle(x, 2)),
    case("pixel unshuffle", [2, 4, 6], [], lambda x: F.pixel_unshuffle(x, 2)),
    case("reshape permute", [2, 6], [], lambda x: x.reshape(-1, 3, 4).permute(0, 2, 1)),
    case("zero padding 1d", [2, 4], [], lambda x: F.pad(x, (2, 0))),
    case("zero padding 3d", [1, 2, 3, 2], [], lambda x: F.pad(x, (1,) * 6), rows=1),
    case("replication padding 3d", [1, 2, 3, 2], [], lambda x: F.pad(x, (1,) * 6, "replicate"), rows=1),
    case("upsampling 3d", [1, 2, 1, 3], [], lambda x: F.interpolate(x, scale_factor=2)),
    case("repeat vector", [5], [], keras.layers.RepeatVector(3)),
    # Keras crops the first axis of [steps, features].
    case("cropping 1d", [2, 7], [], lambda x: keras.layers.Cropping1D((1, 2))(x.mT).mT),
    case("cropping 2d", [2, 3, 5], [], keras.layers.Cropping2D(((1, 0), (2, 1)), data_format=first)),
    case("cropping 3d", [1, 3, 4, 3], [], keras.layers.Cropping3D(1, data_format=first)),
    case("channel shuffle", [6, 2, 2], [], lambda x: F.channel_shuffle(x, 3)),
    case("flatten", [2, 3, 2], [(12, 2), (2,)], lambda x, w, b: x.flatten(1) @ w + b, rows=2),
    case("reshape", [2, 6], [], lambda x: x.reshape(-1, 4, 3), rows=1),
    case("unflatten", [2, 6, 2], [], lambda x: x.unflatten(2, (2, -1)), rows=1),
    case("constant padding 1d", [2, 4], [], lambda x: F.pad(x, (2, 0), value=-0.5), rows=1),
    case("constant padding 3d", [1, 2, 1, 2], [], lambda x: F.pad(x, (1,) * 6, value=1.5), rows=1),
    case("reflection padding 3d", [1, 2, 2, 3], [], lambda x: F.pad(x, (1, 1, 1, 1, 0, 0), "reflect"), rows=1),
    case("replication padding 1d", [2, 4], [], lambda x: F.pad(x, (2, 1), "replicate"), rows=1),
    case("circular padding 3d", [1, 2, 2, 3], [], lambda x: F.pad(x, (2, 2, 0, 0, 1, 1), "circular"), rows=1),
    case("upsampling 2d to a size", [2, 3, 4], [], lambda x: F.interpolate(x, size=(5, 3)), rows=1),
    case("bilinear upsampling 2d to a size", [2, 3, 4], [],
         lambda x: F.interpolate(x, size=(5, 3), mode="bilinear"), rows=1),
    case("bilinear upsampling 2d of one", [2, 1, 3], [],
         lambda x: F.interpolate(x, scale_factor=1, mode="bilinear", align_corners=True), rows=1),
])  # fmt: skip
