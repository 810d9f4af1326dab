"""The embeddings: see reference.py."""

import numpy
from torch.nn.functional import embedding, embedding_bag

from reference import case, write


def ids(index, v):
    return numpy.floor(numpy.abs(v) * 1000.0) % 7.0


def padded(index, v):
    return numpy.where(index < 2, 2.0, ids(index, v))


def words(name, steps, size, factor=lambda x: 1.0, value=ids):
    f = lambda x, w: embedding(x.long(), w) * factor(x)
    return case(name, [steps], [(7, size)], f, value=value, ids=True)


def bag(name, count, size, value=ids, **settings):
    f = lambda x, w: embedding_bag(x.long(), w, **settings)
    return case(name, [count], [(7, size)], f, value=value, ids=True)


write([
    words("embedding", 5, 3),
    # The vector of the padding index is 0 here, regardless of the table.
    words("embedding padded", 6, 2, lambda x: (x != 2)[..., None], padded),
    words("embedding sparse", 2, 17),
    bag("embedding bag", 5, 3),
    bag("embedding bag sum", 4, 20, mode="sum"),
    bag("embedding bag max", 4, 5, mode="max"),
    bag("embedding bag padded", 6, 4, padded, padding_idx=2),
    bag("embedding bag sum padded", 3, 4, padded, mode="sum", padding_idx=2),
    bag("embedding bag max padded", 6, 4, padded, mode="max", padding_idx=2),
    bag("embedding bag of padding", 2, 4, padded, padding_idx=2),
])  # fmt: skip
