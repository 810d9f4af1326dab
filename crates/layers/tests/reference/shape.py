"""The layers that move values: see reference.py."""

from torch.nn import functional as F

from reference import case, write

write([
    case("permute", [2, 3, 4], [], lambda x: x.permute(0, 3, 1, 2)),
    case("zero padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (0, 3, 1, 2))),
    case("constant padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (2, 2, 1, 1), value=2.5)),
    case("reflection padding 1d", [2, 4], [], lambda x: F.pad(x, (3, 2), "reflect")),
    case("reflection padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (0, 3, 1, 2), "reflect")),
    case("replication padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (5, 3, 1, 2), "replicate")),
    case("circular padding 1d", [2, 4], [], lambda x: F.pad(x, (4, 3), "circular")),
    case("circular padding 2d", [2, 3, 4], [], lambda x: F.pad(x, (0, 3, 1, 2), "circular")),
    case("upsampling 1d", [2, 4], [], lambda x: F.interpolate(x, scale_factor=3)),
    case("upsampling 2d", [2, 3, 2], [], lambda x: F.interpolate(x, scale_factor=(2, 3))),
    case("linear upsampling 1d", [2, 4], [], lambda x: F.interpolate(x, scale_factor=3, mode="linear")),
    case("bilinear upsampling 2d", [2, 3, 4], [],
         lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear")),
    case("bilinear upsampling 2d aligned", [2, 3, 4], [],
         lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=True)),
    case("trilinear upsampling 3d", [1, 2, 3, 2], [],
         lambda x: F.interpolate(x, scale_factor=2, mode="trilinear")),
    case("pixel shuffle", [8, 2, 3], [], lambda x: F.pixel_shuffle(x, 2)),
    case("pixel unshuffle", [2, 4, 6], [], lambda x: F.pixel_unshuffle(x, 2)),
    case("channel shuffle", [6, 2, 2], [], lambda x: F.channel_shuffle(x, 3)),
])  # fmt: skip
