import os
from builtins import list as builtins_list
from typing import Any, Callable, Optional, Sequence, Union

import numpy
from numpy.typing import ArrayLike, NDArray

__version__: str

_Path = Union[str, os.PathLike[str]]
_Shape = Union[int, Sequence[int]]
_Callback = Union["EarlyStopping", Callable[["EpochReport"], Optional[bool]]]

def list(kind: str) -> builtins_list[str]:
    """The names of a kind: layers, activations, merges, initializers, losses, metrics, optimizers, schedules or transforms."""

def describe(kind: str, name: str) -> str:
    """What a thing is: its settings with their defaults, and its formula."""

class Model:
    """A network with its parameters, in single precision."""

    def __init__(self, layers: str, input: _Shape, *, seed: int = 0) -> None: ...
    @staticmethod
    def load(path: _Path) -> Model:
        """Reads a model file, or the model of a checkpoint."""

    def save(self, path: _Path) -> None:
        """Writes a model file, whole or not at all."""

    @property
    def input(self) -> tuple[int, ...]:
        """The shape of a sample."""

    @property
    def output(self) -> tuple[int, ...]:
        """The shape of the output for a sample."""

    @property
    def size(self) -> int:
        """The number of parameters."""

    @property
    def notes(self) -> dict[str, str]:
        """What was noted in the model, by name."""

    def describe(self) -> str:
        """The layers as a text, from which ``Model`` makes them again."""

    def summary(self) -> str:
        """The layers, their output shapes and parameters as a table."""

    def parameters_sha256(self) -> str:
        """The SHA-256 of the parameters in hexadecimal: equal if and only if every bit is."""

    def predict(self, x: ArrayLike) -> NDArray[numpy.float32]:
        """The outputs for the samples ``x``, an array whose first axis counts them."""

    def predict_proba(self, x: ArrayLike, *, outputs: str = "logits") -> NDArray[numpy.float32]:
        """The probability of each class; the outputs of the model are ``"logits"`` or ``"probabilities"``."""

    def state_dict(self, *, names: str = "chainrule") -> dict[str, NDArray[numpy.float32]]:
        """Copies of the parameters by name, as ``"chainrule"``, ``"pytorch"`` or ``"keras"`` name them and lay them out."""

    def load_state_dict(
        self,
        arrays: dict[str, Any],
        *,
        names: str = "chainrule",
        strict: bool = True,
        rounded: bool = False,
    ) -> tuple[builtins_list[str], builtins_list[str]]:
        """Replaces the parameters. Returns the names that were missing, and those that were left out."""

    def __copy__(self) -> Model: ...
    def __deepcopy__(self, _memo: Any) -> Model: ...

class Scores:
    """The mean loss and the metrics over some samples: ``scores["accuracy"]``."""

    @property
    def loss(self) -> float:
        """The mean loss of a sample."""

    @property
    def metrics(self) -> dict[str, Any]:
        """The value of each metric: a number, a list, or the columns of a table; what is undefined is ``None``."""

    def __getitem__(self, name: str) -> Any: ...

class EpochReport:
    """One epoch of a training."""

    @property
    def epoch(self) -> int:
        """The epoch, from 0."""

    @property
    def train(self) -> Scores:
        """The scores of the training samples, while the parameters changed."""

    @property
    def validation(self) -> Optional[Scores]:
        """Those of the validation after the epoch, if there is one."""

    @property
    def seconds(self) -> float:
        """How long the training took, without the validation."""

    @property
    def samples(self) -> int:
        """The number of samples that were trained on."""

    def model(self) -> Model:
        """A copy of the model after the epoch, while a callback is told of it."""

class History:
    """The epochs of a training."""

    @property
    def epochs(self) -> builtins_list[EpochReport]:
        """One report for each epoch that was completed."""

    @property
    def unfinished(self) -> Optional[EpochReport]:
        """The epoch in the middle of which the training was stopped."""

    @property
    def stopped(self) -> bool:
        """Whether a callback stopped the training."""

    @property
    def skipped(self) -> int:
        """The number of steps that were left out since they would not have been finite."""

    def to_dict(self) -> dict[str, builtins_list[Any]]:
        """A list of a value for each epoch, by name: ``loss``, the metrics, ``seconds``, ``validation_loss`` and so on."""

    def __len__(self) -> int: ...

class EarlyStopping:
    """Stops a training after ``patience`` epochs in a row in which a quantity has not improved."""

    def __init__(
        self,
        patience: int,
        *,
        monitor: str = "loss",
        better: str = "min",
        min_delta: float = 0.0,
        restore_best: bool = False,
    ) -> None: ...

class Trainer:
    """Brings a model, which is copied, a loss and an optimizer together, and fits the model to arrays."""

    def __init__(
        self,
        model: Model,
        *,
        loss: str,
        optimizer: str = "adam",
        schedule: Optional[str] = None,
        metrics: Sequence[str] = (),
        batch_size: int = 32,
        accumulate: int = 1,
        shards: Optional[int] = None,
        threads: Optional[int] = None,
        seed: int = 0,
        shuffle: bool = True,
        portable: bool = False,
        skip_nonfinite: int = 0,
        audit: bool = False,
        callbacks: Sequence[_Callback] = (),
        checkpoint: Optional[_Path] = None,
        resume: Optional[_Path] = None,
    ) -> None:
        """``checkpoint`` is written after each epoch and at the end; ``resume`` is one to go on from."""

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 1,
        validation: Optional[tuple[ArrayLike, ArrayLike]] = None,
    ) -> History:
        """Trains on the samples ``x`` and their targets ``y``; called again, it goes on."""

    def evaluate(self, x: ArrayLike, y: ArrayLike) -> Scores:
        """The loss and the metrics of the samples ``x`` with the targets ``y``."""

    @property
    def model(self) -> Model:
        """A copy of the model as it is now."""

    def save(self, path: _Path) -> None:
        """Writes a checkpoint, from which ``Trainer(..., resume=path)`` goes on with the same bits."""

    def predict(self, x: ArrayLike) -> NDArray[numpy.float32]:
        """The outputs of the model for the samples ``x``."""

    def predict_proba(self, x: ArrayLike) -> NDArray[numpy.float32]:
        """The probability of each class, as the loss takes the outputs."""

    @property
    def outputs(self) -> str:
        """What the loss takes the outputs of the model for: ``"values"``, ``"logits"`` or ``"probabilities"``."""

    @property
    def epochs_done(self) -> int:
        """The number of epochs completed."""

    @property
    def warnings(self) -> builtins_list[str]:
        """What was warned of so far."""
