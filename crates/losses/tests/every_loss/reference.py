"""Reference values of losses, from PyTorch, Keras and optax: the reduced loss of random batches, and its gradient.

    pip install torch==2.15.0 keras==3.15.1 optax==0.2.8 jax==0.10.2
    KERAS_BACKEND=torch python reference.py > reference.json

All in double precision. A case is the text of a loss, outputs, targets, the loss by its reduction and the gradient with respect to
the outputs. Where PyTorch has a loss it is PyTorch's, else Keras' or optax'; the quantile and the contrastive loss, which none of
them has, are written out here.
"""

import json
import math
import sys

import jax
import keras
import numpy as np
import optax
import torch
from keras.src import ops
from keras.src.backend.common import dtypes
from torch.nn import functional as F

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
# Else Keras takes means, maxima and products of doubles in single precision.
common_type = dtypes.result_type
dtypes.result_type = lambda *kinds: "float64" if any("float64" in str(kind) for kind in kinds) else common_type(*kinds)
# PyTorch's softplus, which Keras calls, is the identity from 20 on.
ops.softplus = lambda x: torch.logaddexp(x, torch.zeros_like(x))
random = np.random.default_rng(12)
DRAWS = 10

# Outputs


def values(rows, columns):
    return random.normal(size=(rows, columns)) * random.choice([1, 1, 1, 4, 30])


def near(rows, columns):
    return random.normal(size=(rows, columns))


def positive(rows, columns):
    return np.exp(random.normal(size=(rows, columns)))


def chances(rows, columns):
    return random.uniform(0.02, 0.98, size=(rows, columns))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def distribution(rows, columns):
    return softmax(random.normal(size=(rows, columns)))


def log_distribution(rows, columns):
    return np.log(distribution(rows, columns))


def directions(rows, columns):
    e = random.normal(size=(rows, columns))
    return e / np.linalg.norm(e, axis=1, keepdims=True)


def parts(*kinds):
    """Vectors of equal length, one after the other."""
    return lambda rows, columns: np.concatenate([kind(rows, columns) for kind in kinds], axis=1)


# Targets


def labels(rows, columns):
    return random.integers(0, 2, size=(rows, columns)).astype(float)


def signs(rows, columns):
    return 2 * labels(rows, columns) - 1


def counts(rows, columns):
    return random.poisson(3, size=(rows, columns)).astype(float)


def classes(rows, columns):
    return random.integers(0, columns, size=rows)


def groups(rows, columns):
    return random.integers(0, 3, size=rows)


def one(kind):
    """A single value for a row."""
    return lambda rows, columns: kind(rows, 1)


def nothing(rows, columns):
    return None


# Losses


def of_rows(loss):
    """The mean of the losses of the rows."""
    return lambda y, t: loss(y, t).mean()


def in_keras(loss, **settings):
    return of_rows(lambda y, t: loss(t, y, **settings))


def in_optax(loss, **settings):
    """A loss of jax arrays, of each row or each value."""
    return lambda y, t: loss(y, t, **settings).mean()


def halves(loss):
    return lambda y, t: loss(*y.chunk(2, dim=1), t)


def thirds(loss):
    return lambda y, t: loss(*y.chunk(3, dim=1))


def class_list(t):
    """The labels of each row in front, as MultiLabelMarginLoss takes them, then -1."""
    rows = []
    for row in t:
        found = [j for j, value in enumerate(row.tolist()) if value == 1]
        rows.append(found + [-1] * (len(row) - len(found)))
    return torch.tensor(rows)


def one_hot(t, y):
    return F.one_hot(t, y.shape[1]).to(y.dtype)


W3 = [0.5, 2.0, 1.25]
CLASS_WEIGHTS = torch.tensor(W3, dtype=torch.float64)
DISTANCES = {
    "euclidean": lambda a, b: F.pairwise_distance(a, b),
    "squared_euclidean": lambda a, b: ((a - b) ** 2).sum(dim=1),
    "manhattan": lambda a, b: (a - b).abs().sum(dim=1),
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b),
}


def contrastive(margin):
    def loss(a, b, t):
        d = ((a - b) ** 2).sum(dim=1).sqrt()
        t = t[:, 0]
        return (t * d**2 + (1 - t) * torch.clamp(margin - d, min=0) ** 2).mean()

    return loss


def pinball(q):
    return lambda y, t: torch.maximum(q * (t - y), (q - 1) * (t - y)).mean()


TORCH, OPTAX = "torch", "optax"
N = 3  # the number of columns where classes have weights

# text of the loss, outputs, targets, the library of the arrays, the loss, columns (0 for any number)
CASES = [
    ("mean_squared_error", values, values, TORCH, F.mse_loss),
    ("mean_absolute_error", values, values, TORCH, F.l1_loss),
    ("mean_absolute_percentage_error", values, values, TORCH, in_keras(keras.losses.mean_absolute_percentage_error)),
    ("mean_squared_logarithmic_error", positive, positive, TORCH, in_keras(keras.losses.mean_squared_logarithmic_error)),
    ("huber", values, values, TORCH, F.huber_loss),
    ("huber(delta=0.3)", values, values, TORCH, lambda y, t: F.huber_loss(y, t, delta=0.3)),
    ("smooth_l1", values, values, TORCH, F.smooth_l1_loss),
    ("smooth_l1(beta=2.5)", values, values, TORCH, lambda y, t: F.smooth_l1_loss(y, t, beta=2.5)),
    ("smooth_l1(beta=0)", values, values, TORCH, lambda y, t: F.smooth_l1_loss(y, t, beta=0.0)),
    ("log_cosh", values, values, TORCH, in_keras(keras.losses.log_cosh)),
    ("quantile(q=0.9)", values, values, TORCH, pinball(0.9)),
    ("cross_entropy", values, classes, TORCH, F.cross_entropy),
    ("cross_entropy", values, distribution, TORCH, F.cross_entropy),
    ("cross_entropy(label_smoothing=0.1)", values, classes, TORCH, lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1)),
    ("cross_entropy(label_smoothing=0.3)", values, distribution, TORCH, lambda y, t: F.cross_entropy(y, t, label_smoothing=0.3)),
    ("cross_entropy(weight=[0.5, 2, 1.25])", values, classes, TORCH, lambda y, t: F.cross_entropy(y, t, weight=CLASS_WEIGHTS), N),
    ("cross_entropy(weight=[0.5, 2, 1.25])", values, distribution, TORCH, lambda y, t: F.cross_entropy(y, t, weight=CLASS_WEIGHTS), N),
    ("cross_entropy(weight=[0.5, 2, 1.25], label_smoothing=0.2)", values, classes, TORCH,
     lambda y, t: F.cross_entropy(y, t, weight=CLASS_WEIGHTS, label_smoothing=0.2), N),
    ("cross_entropy(ignore_index=1)", values, classes, TORCH, lambda y, t: F.cross_entropy(y, t, ignore_index=1), N),
    ("cross_entropy(ignore_index=0, weight=[0.5, 2, 1.25], label_smoothing=0.2)", values, classes, TORCH,
     lambda y, t: F.cross_entropy(y, t, ignore_index=0, weight=CLASS_WEIGHTS, label_smoothing=0.2), N),
    ("reduced(loss=cross_entropy(weight=[0.5, 2, 1.25]), reduction=sum)", values, classes, TORCH,
     lambda y, t: F.cross_entropy(y, t, weight=CLASS_WEIGHTS, reduction="sum"), N),
    ("cross_entropy(from_probabilities=true)", distribution, distribution, TORCH,
     # Keras divides the outputs by their sum, which is 1, and so has another gradient along it.
     of_rows(lambda y, t: -(t * y.clamp(min=1e-7).log()).sum(dim=1))),
    ("nll", log_distribution, classes, TORCH, F.nll_loss),
    ("nll(weight=[0.5, 2, 1.25])", log_distribution, classes, TORCH, lambda y, t: F.nll_loss(y, t, weight=CLASS_WEIGHTS), N),
    ("nll(weight=[0.5, 2, 1.25], ignore_index=2)", log_distribution, classes, TORCH,
     lambda y, t: F.nll_loss(y, t, weight=CLASS_WEIGHTS, ignore_index=2), N),
    ("categorical_focal", values, distribution, TORCH,
     in_keras(keras.losses.categorical_focal_crossentropy, from_logits=True), 4, "near"),
    ("categorical_focal.keras(gamma=1.5, alpha=0.4)", distribution, distribution, TORCH,
     in_keras(keras.losses.categorical_focal_crossentropy, gamma=1.5, alpha=0.4)),
    ("categorical_focal.keras(label_smoothing=0.2)", chances, classes, TORCH,
     lambda y, t: keras.losses.categorical_focal_crossentropy(one_hot(t, y), y, label_smoothing=0.2).mean()),
    ("categorical_generalized_cross_entropy.keras", distribution, classes, TORCH,
     in_keras(keras.losses.categorical_generalized_cross_entropy, q=0.5)),
    ("categorical_generalized_cross_entropy(q=0.8)", values, classes, TORCH,
     lambda y, t: keras.losses.categorical_generalized_cross_entropy(t, y.softmax(dim=1), q=0.8).mean(), 0, "near"),
    ("poly_cross_entropy", values, distribution, OPTAX, in_optax(optax.losses.poly_loss_cross_entropy)),
    ("poly_cross_entropy(epsilon=-0.5)", values, distribution, OPTAX, in_optax(optax.losses.poly_loss_cross_entropy, epsilon=-0.5)),
    ("sparsemax", values, classes, OPTAX, in_optax(optax.losses.multiclass_sparsemax_loss)),
    ("binary_sparsemax", near, labels, OPTAX, in_optax(optax.losses.sparsemax_loss), 3),
    ("binary_cross_entropy", values, chances, TORCH, F.binary_cross_entropy_with_logits),
    ("binary_cross_entropy(pos_weight=[0.5, 2, 1.25])", values, chances, TORCH,
     lambda y, t: F.binary_cross_entropy_with_logits(y, t, pos_weight=CLASS_WEIGHTS), N),
    ("binary_cross_entropy(weight=[0.5, 2, 1.25])", values, chances, TORCH,
     lambda y, t: F.binary_cross_entropy_with_logits(y, t, weight=CLASS_WEIGHTS), N),
    ("binary_cross_entropy(weight=[0.5, 2, 1.25], pos_weight=[3, 1, 0.25])", values, labels, TORCH,
     lambda y, t: F.binary_cross_entropy_with_logits(y, t, weight=CLASS_WEIGHTS, pos_weight=torch.tensor([3.0, 1, 0.25])), N),
    ("binary_cross_entropy(label_smoothing=0.2)", near, labels, TORCH,
     in_keras(keras.losses.binary_crossentropy, from_logits=True, label_smoothing=0.2)),
    ("binary_cross_entropy.keras", chances, chances, TORCH, F.binary_cross_entropy),
    ("binary_cross_entropy.keras(weight=[0.5, 2, 1.25])", chances, labels, TORCH,
     lambda y, t: F.binary_cross_entropy(y, t, weight=CLASS_WEIGHTS), N),
    ("bce_loss", chances, chances, TORCH, F.binary_cross_entropy),
    ("bce_loss(weight=[0.5, 2, 1.25])", chances, labels, TORCH,
     lambda y, t: F.binary_cross_entropy(y, t, weight=CLASS_WEIGHTS), N),
    ("binary_focal", values, chances, OPTAX, in_optax(optax.losses.sigmoid_focal_loss)),
    ("binary_focal(gamma=1.5, alpha=0.3)", values, labels, OPTAX, in_optax(optax.losses.sigmoid_focal_loss, gamma=1.5, alpha=0.3)),
    ("binary_focal.keras", chances, labels, TORCH, in_keras(keras.losses.binary_focal_crossentropy)),
    ("binary_focal.keras(alpha=0.25, gamma=3, label_smoothing=0.1)", chances, labels, TORCH,
     in_keras(keras.losses.binary_focal_crossentropy, apply_class_balancing=True, gamma=3.0, label_smoothing=0.1)),
    ("hinge", values, signs, TORCH, in_keras(keras.losses.hinge)),
    ("squared_hinge", values, signs, TORCH, in_keras(keras.losses.squared_hinge)),
    ("categorical_hinge", values, classes, TORCH, lambda y, t: keras.losses.categorical_hinge(one_hot(t, y), y).mean()),
    ("categorical_hinge", values, chances, TORCH, in_keras(keras.losses.categorical_hinge)),
    ("multiclass_hinge", values, classes, OPTAX, in_optax(optax.losses.multiclass_hinge_loss)),
    ("multiclass_perceptron", values, classes, OPTAX, in_optax(optax.losses.multiclass_perceptron_loss)),
    ("perceptron", values, signs, OPTAX, in_optax(optax.losses.perceptron_loss)),
    ("multi_margin", values, classes, TORCH, F.multi_margin_loss),
    ("multi_margin(p=2, margin=0.5)", values, classes, TORCH, lambda y, t: F.multi_margin_loss(y, t, p=2, margin=0.5)),
    ("multi_margin(weight=[0.5, 2, 1.25])", values, classes, TORCH, lambda y, t: F.multi_margin_loss(y, t, weight=CLASS_WEIGHTS), N),
    ("multi_label_margin", values, labels, TORCH, lambda y, t: F.multilabel_margin_loss(y, class_list(t))),
    ("multi_label_soft_margin", values, chances, TORCH, F.multilabel_soft_margin_loss),
    ("multi_label_soft_margin(weight=[0.5, 2, 1.25])", values, chances, TORCH,
     lambda y, t: F.multilabel_soft_margin_loss(y, t, weight=CLASS_WEIGHTS), N),
    ("soft_margin", values, signs, TORCH, F.soft_margin_loss),
    ("kl_divergence", log_distribution, distribution, TORCH, lambda y, t: F.kl_div(y, t, reduction="batchmean")),
    ("kl_divergence.pytorch", log_distribution, distribution, TORCH, F.kl_div),
    ("kl_divergence(log_target=true)", log_distribution, log_distribution, TORCH,
     lambda y, t: F.kl_div(y, t, reduction="batchmean", log_target=True)),
    ("kl_divergence.keras", chances, chances, TORCH, in_keras(keras.losses.kl_divergence)),
    ("poisson", positive, counts, TORCH, in_keras(keras.losses.poisson)),
    ("poisson_nll", near, counts, TORCH, F.poisson_nll_loss),
    ("poisson_nll(full=true)", near, counts, TORCH, lambda y, t: F.poisson_nll_loss(y, t, full=True)),
    ("poisson_nll(log_input=false)", positive, counts, TORCH, lambda y, t: F.poisson_nll_loss(y, t, log_input=False)),
    ("gaussian_nll", parts(values, positive), values, TORCH,
     lambda y, t: F.gaussian_nll_loss(*y.chunk(2, dim=1)[:1], t, y.chunk(2, dim=1)[1])),
    ("gaussian_nll(full=true, eps=0.5)", parts(values, positive), values, TORCH,
     lambda y, t: F.gaussian_nll_loss(y.chunk(2, dim=1)[0], t, y.chunk(2, dim=1)[1], full=True, eps=0.5)),
    ("cosine_similarity", values, values, TORCH, in_keras(keras.losses.cosine_similarity)),
    ("cosine_embedding", parts(values, values), one(signs), TORCH, halves(lambda a, b, t: F.cosine_embedding_loss(a, b, t[:, 0]))),
    ("cosine_embedding(margin=-0.3)", parts(values, values), one(signs), TORCH,
     halves(lambda a, b, t: F.cosine_embedding_loss(a, b, t[:, 0], margin=-0.3))),
    ("hinge_embedding", values, signs, TORCH, F.hinge_embedding_loss),
    ("hinge_embedding(margin=2.5)", values, signs, TORCH, lambda y, t: F.hinge_embedding_loss(y, t, margin=2.5)),
    ("margin_ranking", parts(values, values), signs, TORCH, halves(F.margin_ranking_loss)),
    ("margin_ranking(margin=0.7)", parts(values, values), signs, TORCH,
     halves(lambda a, b, t: F.margin_ranking_loss(a, b, t, margin=0.7))),
    ("contrastive(margin=1.5)", parts(near, near), one(labels), TORCH, halves(contrastive(1.5))),
    ("triplet_margin", parts(near, near, near), nothing, TORCH, thirds(F.triplet_margin_loss)),
    ("triplet_margin(p=1, margin=3, swap=true)", parts(near, near, near), nothing, TORCH,
     thirds(lambda a, p, n: F.triplet_margin_loss(a, p, n, p=1, margin=3, swap=True))),
    ("triplet_margin(p=3, margin=2)", parts(near, near, near), nothing, TORCH,
     thirds(lambda a, p, n: F.triplet_margin_loss(a, p, n, p=3, margin=2))),
] + [
    (f"triplet_margin_with_distance({name}, margin=0.8, swap={swap})", parts(near, near, near), nothing, TORCH,
     thirds(lambda a, p, n, d=distance, s=swap: F.triplet_margin_with_distance_loss(
         a, p, n, distance_function=d, margin=0.8, swap=s == "true")))
    for name, distance in DISTANCES.items() for swap in ["false", "true"]
] + [
    ("ranking_softmax", values, positive, OPTAX, optax.losses.ranking_softmax_loss),
    ("nt_xent", near, groups, OPTAX, optax.losses.ntxent, 0, "batch"),
    ("nt_xent(temperature=0.5)", near, groups, OPTAX, lambda y, t: optax.losses.ntxent(y, t, temperature=0.5), 0, "batch"),
    ("circle", directions, groups, TORCH, lambda y, t: keras.losses.Circle()(t, y), 0, "batch"),
    ("circle(gamma=5, margin=0.2)", directions, groups, TORCH, lambda y, t: keras.losses.Circle(gamma=5.0, margin=0.2)(t, y), 0, "batch"),
    ("dice", chances, chances, TORCH, of_rows(lambda y, t: keras.losses.dice(t, y, axis=1))),
    ("dice.keras", chances, labels, TORCH, lambda y, t: keras.losses.dice(t, y), 0, "batch"),
    ("tversky(alpha=0.3, beta=0.6)", chances, chances, TORCH, of_rows(lambda y, t: keras.losses.tversky(t, y, alpha=0.3, beta=0.6, axis=1))),
    ("tversky.keras(alpha=0.2)", chances, labels, TORCH, lambda y, t: keras.losses.tversky(t, y, alpha=0.2), 0, "batch"),
]

# Weights of samples: Σ w L / Σ w, from the losses of the rows.
WEIGHTED = [
    ("mean_squared_error", values, values, lambda y, t: F.mse_loss(y, t, reduction="none").mean(dim=1), None),
    ("cross_entropy", values, classes, lambda y, t: F.cross_entropy(y, t, reduction="none"), None),
    ("cross_entropy(weight=[0.5, 2, 1.25])", values, classes,
     lambda y, t: F.cross_entropy(y, t, weight=CLASS_WEIGHTS, reduction="none"), lambda t: CLASS_WEIGHTS[t]),
    ("binary_focal.keras", chances, labels, lambda y, t: keras.losses.binary_focal_crossentropy(t, y), None),
    ("dice", chances, labels, lambda y, t: keras.losses.dice(t, y, axis=1), None),
]


def rounded(numbers):
    """Numbers of few digits, except distributions, whose sum has to stay 1."""
    return np.round(numbers, 3)


def exact(kind):
    return kind in (distribution, log_distribution, directions)


def draw(kind, rows, columns):
    numbers = kind(rows, columns)
    if numbers is None or numbers.dtype.kind == "i":
        return numbers
    return numbers if exact(kind) else rounded(numbers)


def number(value):
    return int(value) if float(value).is_integer() and abs(value) < 1e6 else float(f"{value:.15g}")


def table(numbers):
    return [[number(v) for v in row] for row in numbers]


def case(text, y, t, value, gradient, **more):
    if t is None:
        targets = [[] for _ in y]
    elif t.ndim == 1:
        targets = [int(v) for v in t]
    else:
        targets = table(t)
    return {"loss": text, "y": table(y), "t": targets, "value": number(value), "gradient": table(gradient), **more}


def by_torch(loss, y, t):
    y = torch.tensor(y, requires_grad=True)
    value = loss(y, None if t is None else torch.tensor(t))
    (gradient,) = torch.autograd.grad(value, y)
    return value.item(), gradient.numpy()


compiled = {}


def by_jax(loss, y, t):
    if loss not in compiled:
        compiled[loss] = jax.jit(jax.value_and_grad(loss))
    value, gradient = compiled[loss](jax.numpy.asarray(y), jax.numpy.asarray(t))
    return float(value), np.asarray(gradient)


def all_cases():
    for text, y_kind, t_kind, library, loss, *more in CASES:
        columns = more[0] if more else 0
        kind = more[1] if len(more) > 1 else ""
        done = 0
        while done < DRAWS:
            rows = int(random.integers(6, 10) if kind == "batch" else random.integers(1, 5))
            n = columns or int(random.integers(2, 6))
            if library == OPTAX:
                # jax compiles each shape anew.
                rows, n = (8 if kind == "batch" else 4), columns or 5
            y = rounded(near(rows, n)) if kind == "near" else draw(y_kind, rows, n)
            t = draw(t_kind, rows, n)
            value, gradient = (by_torch if library == TORCH else by_jax)(loss, y, t)
            # A batch without a pair, or with ignored targets alone, is 0 / 0 in the others.
            if not (math.isfinite(value) and np.isfinite(gradient).all()):
                continue
            done += 1
            yield case(text, y, t, value, gradient)
    for text, y_kind, t_kind, losses, weights in WEIGHTED:
        for _ in range(DRAWS):
            rows, n = int(random.integers(2, 6)), N
            y, t = draw(y_kind, rows, n), draw(t_kind, rows, n)
            w = random.integers(0, 25, size=rows) / 8  # exact in single precision
            w[0] = random.choice([0, 1])

            def loss(y, t):
                total = torch.tensor(w) * (1 if weights is None else weights(t))
                return (torch.tensor(w) * losses(y, t)).sum() / total.sum()

            value, gradient = by_torch(loss, y, t)
            yield case(text, y, t, value, gradient, weights=[number(v) for v in w])
    yield from steps()
    yield from alignments()


def steps():
    """A class for each of several steps; PyTorch's mean is over all steps of the batch that count."""
    for text, settings in [("per_step(cross_entropy)", {}), ("per_step(cross_entropy(ignore_index=2))", {"ignore_index": 2}),
                           ("per_step(cross_entropy(weight=[0.5, 2, 1.25]))", {"weight": CLASS_WEIGHTS})]:
        for _ in range(DRAWS):
            rows, count = int(random.integers(1, 4)), int(random.integers(1, 5))
            y = rounded(values(rows, count * N))
            t = random.integers(0, N, size=(rows, count))
            t[0, 0] = 0
            loss = lambda y, t: F.cross_entropy(y.reshape(-1, N), t.reshape(-1), **settings)
            value, gradient = by_torch(loss, y, t)
            yield case(text, y, t, value, gradient)


def alignments():
    for text, classes_, blank, zero, per_label, reduction in [
        ("ctc(classes=4)", 4, 0, False, True, "mean"),
        ("ctc(classes=3, blank=2)", 3, 2, False, True, "mean"),
        ("ctc(classes=4, zero_infinity=true)", 4, 0, True, True, "mean"),
        ("reduced(loss=ctc.keras(classes=4), reduction=sum)", 4, 0, False, False, "sum"),
    ]:
        for draw_ in range(DRAWS):
            rows, count = int(random.integers(1, 5)), int(random.integers(3, 9))
            y = rounded(values(rows, count * classes_))
            own = random.integers(count - 2, count + 1, size=rows) if draw_ % 2 else np.full(rows, count)
            lengths, labels_ = [], []
            for steps_ in own:
                # Labels that fit, and sometimes, where that is allowed, some that do not.
                while True:
                    length = int(random.integers(0 if reduction == "sum" else 1, steps_ + 1 + 2 * zero))
                    found = [int(v) for v in random.choice([c for c in range(classes_) if c != blank], size=length)]
                    needed = length + sum(a == b for a, b in zip(found, found[1:]))
                    if zero or needed <= steps_:
                        break
                lengths.append(length)
                labels_.append(found)

            def loss(y, _):
                ln = y.reshape(rows, count, classes_).log_softmax(dim=2).transpose(0, 1)
                flat = torch.tensor([label for row in labels_ for label in row], dtype=torch.long)
                return F.ctc_loss(ln, flat, torch.tensor(own), torch.tensor(lengths), blank=blank, zero_infinity=zero, reduction=reduction)

            value, gradient = by_torch(loss, y, None)
            found = case(text, y, None, value, gradient)
            found["t"] = labels_
            found["steps"] = [int(v) for v in own]
            yield found


if __name__ == "__main__":
    lines = [json.dumps(found, separators=(",", ":")) for found in all_cases()]
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")
