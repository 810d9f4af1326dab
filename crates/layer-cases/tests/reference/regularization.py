"""The regularisation layers, which outside training are the identity: see reference.py."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
from torch.nn import functional as F

from reference import case, write

keras.config.set_floatx("float64")

write([
    case("dropout 0.3", [40], [], lambda x: F.dropout(x, 0.3, False), rows=1),
    case("spatial dropout", [7, 3], [], lambda x: F.dropout1d(x, 0.4, False), rows=1),
    case("spatial dropout of volumes", [5, 2, 3, 2], [], lambda x: F.dropout3d(x, 0.2, False), rows=1),
    case("spatial dropout of features", [3, 9], [], keras.layers.SpatialDropout1D(0.4), rows=1),
    case("alpha dropout", [33], [], lambda x: F.alpha_dropout(x, 0.2, False), rows=1),
    case("feature alpha dropout", [6, 2, 2], [], lambda x: F.feature_alpha_dropout(x, 0.3, False), rows=1),
    case("gaussian dropout", [21], [], keras.layers.GaussianDropout(0.25), rows=1),
    case("gaussian noise", [3, 6], [], keras.layers.GaussianNoise(0.5), rows=1),
    case("activity regularization", [9], [], keras.layers.ActivityRegularization(), rows=1),
    # Neither library has it; outside training it is the identity by definition.
    case("drop path", [2, 11], [], lambda x: x.clone(), rows=1),
])  # fmt: skip
