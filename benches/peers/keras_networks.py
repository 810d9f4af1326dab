"""The networks of the workloads in Keras."""

import keras
from keras import layers, ops


class ClassToken(layers.Layer):
    """A learned step before all others, and learned positions."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros")
        self.positions = self.add_weight(shape=(shape[1] + 1, shape[-1]), initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x):
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, x.shape[-1]))
        return ops.concatenate([token, x], axis=1) + self.positions


def transformer(x, width=64, heads=4):
    x = layers.Permute((1, 3, 2, 4))(layers.Reshape((4, 7, 4, 7))(x))
    x = ClassToken()(layers.Dense(width)(layers.Reshape((16, 49))(x)))
    for _ in range(2):
        normed = layers.LayerNormalization(epsilon=1e-5)(x)
        mixed = layers.MultiHeadAttention(heads, width // heads, dropout=0.1)(normed, normed)
        x = x + layers.Dropout(0.1)(mixed)
        wide = layers.Dense(2 * width, activation="relu")(layers.LayerNormalization(epsilon=1e-5)(x))
        x = x + layers.Dropout(0.1)(layers.Dense(width)(layers.Dropout(0.1)(wide)))
    return layers.LayerNormalization(epsilon=1e-5)(x)[:, 0]


def resnet(x):
    def convolution(x, channels, stride, kernel=3):
        x = layers.ZeroPadding2D(kernel // 2)(x)
        x = layers.Conv2D(channels, kernel, strides=stride, use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    x = layers.ReLU()(convolution(x, 16, 2))
    for channels, stride in (16, 1), (32, 2), (64, 2):
        deep = convolution(layers.ReLU()(convolution(x, channels, stride)), channels, 1)
        short = x if stride == 1 else convolution(x, channels, stride, kernel=1)
        x = layers.ReLU()(deep + short)
    return layers.GlobalAveragePooling2D()(x)


def lenet(x):
    x = layers.MaxPooling2D()(layers.Conv2D(6, 5, padding="same", activation="relu")(x))
    x = layers.MaxPooling2D()(layers.Conv2D(16, 5, activation="relu")(x))
    return layers.Dense(84, activation="relu")(layers.Dense(120, activation="relu")(layers.Flatten()(x)))


def of_images(network):
    """A workload's network for images of digits, with its shape; a number stands for dense layers of as many units."""
    def perceptron(x):
        x = layers.Dense(network, activation="relu")(layers.Flatten()(x))
        return layers.Dense(network, activation="relu")(x)

    named = {"lenet": lenet, "lstm": lambda x: layers.LSTM(128)(x), "transformer": transformer, "resnet": resnet}
    shape = (28, 28, 1) if network in ("lenet", "resnet") else (28, 28)
    images = keras.Input(shape)
    hidden = named.get(network, perceptron)(images)
    return keras.Model(images, layers.Dense(10, activation="softmax")(hidden)), shape
