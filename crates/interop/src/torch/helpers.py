class Residual(nn.Module):
    """What a module adds to its input."""

    def __init__(self, residual):
        super().__init__()
        self.residual = residual

    def forward(self, x):
        return x + self.residual(x)


class Branches(nn.ModuleList):
    """Several modules with the same input, whose outputs a function merges."""

    def __init__(self, merge, *branches):
        super().__init__(branches)
        self.merge = merge

    def forward(self, x):
        return self.merge([branch(x) for branch in self])


class Reshape(nn.Module):
    """Samples in another shape."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(len(x), *self.shape)


class Permute(nn.Module):
    """The axes of samples in another order."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(0, *(axis + 1 for axis in self.axes))


class Embedding(nn.Embedding):
    """A table whose ids are numbers of any type."""

    def forward(self, x):
        return super().forward(x.long())


class Recurrent:
    """What the recurrent modules here have in common: they return states alone, all of them or the last ones."""

    def __init__(self, *sizes, sequences=False, backwards=False, **settings):
        super().__init__(*sizes, batch_first=True, **settings)
        self.sequences = sequences
        self.backwards = backwards

    def forward(self, x):
        outputs, last = super().forward(x.flip(1) if self.backwards else x)
        if self.sequences:
            return outputs
        last = last[0] if isinstance(last, tuple) else last
        return torch.cat(list(last), 1)


class RNN(Recurrent, nn.RNN):
    """The simple recurrent layer."""


class LSTM(Recurrent, nn.LSTM):
    """Long short-term memory."""


class GRU(Recurrent, nn.GRU):
    """The gated recurrent unit."""


class OneStep(nn.Module):
    """One step of a sequence."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, x):
        return x[:, self.step]


class Patches(nn.Module):
    """An image as a sequence of its patches."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x):
        return nn.functional.unfold(x, self.size, stride=self.size).transpose(1, 2)


class ClassToken(nn.Module):
    """A step before the others, the same for all samples."""

    def __init__(self, features):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return torch.cat([self.token.expand(len(x), 1, -1), x], 1)


class LearnedPositions(nn.Module):
    """A vector for each step, which is added."""

    def __init__(self, steps, features):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(steps, features))

    def forward(self, x):
        return x + self.weight
