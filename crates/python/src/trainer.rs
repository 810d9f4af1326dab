//! Trainers: a model, a loss and an optimizer together.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use chainrule::core::{Description, Kind, Registry};
use chainrule::losses::Loss;
use chainrule::metrics::Measure;
use chainrule::optim::UpdateRule;
use chainrule::tensor::{ClassTarget, Outputs, Seed};
use chainrule::train::callbacks::Checkpoints;
use chainrule::train::{Audit, Fit, History, Model, Scores, TrainError, Trainer};
use chainrule_config::{Rate, scheduled_optimizer};
use numpy::{IntoPyArray, PyArray2};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::array_rows::{ArrayRows, LentArray};
use crate::error::{IntoException, type_error, value_error};
use crate::model::PyModel;
use crate::names::registry;
use crate::reports::{PyHistory, PyScores};
use crate::targets::{ArraySamples, TargetOf, Targets};
use crate::watching::{Bridge, PyEarlyStopping, Watch};

/// The samples and targets of an argument `(x, y)`.
type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Brings a model, a loss and an optimizer together, and fits the model to arrays.
///
/// The model is copied; `trainer.model` is the trained one. Losses, optimizers, schedules and metrics are descriptions such as
/// `"adam(lr=0.01)"`.
#[pyclass(name = "Trainer", module = "chainrule", frozen)]
pub(crate) struct PyTrainer {
    settings: Settings,
    state: Mutex<State>,
    watch: Watch,
    callbacks: Vec<Py<PyAny>>,
}

/// What a trainer is made with.
struct Settings {
    loss: Description,
    optimizer: Description,
    schedule: Option<Description>,
    metrics: Vec<Description>,
    batch_size: usize,
    accumulate: usize,
    shards: Option<usize>,
    threads: Option<usize>,
    seed: u64,
    shuffle: bool,
    portable: bool,
    skip_nonfinite: u64,
    audit: bool,
    stopping: Vec<Py<PyEarlyStopping>>,
    /// The file for checkpoints.
    checkpoint: Option<PathBuf>,
    /// The checkpoint to go on from.
    resume: Option<PathBuf>,
    /// What the loss takes the outputs for.
    takes: Outputs,
}

/// A trainer has targets of one type, which the first of them decide.
enum State {
    New { model: Box<Model<f32>>, epochs_done: u64 },
    Classes(Box<Trainer<f32, ClassTarget<f32>>>),
    Values(Box<Trainer<f32, Vec<f32>>>),
}

impl Settings {
    fn loss<Y: TargetOf>(&self, registry: &Registry) -> PyResult<Box<dyn Loss<f32, Y>>>
    where
        Box<dyn Loss<f32, Y>>: Kind,
    {
        registry.build(&self.loss).map_err(IntoException::exception)
    }

    fn optimizer(&self, registry: &Registry) -> PyResult<Box<dyn UpdateRule<f32>>> {
        let rate =
            Rate { rate: None, schedule: self.schedule.as_ref(), default: "constant", names: "`schedule`" };
        scheduled_optimizer(registry, &self.optimizer, rate).map_err(value_error)
    }

    /// A trainer of a model, for targets of this type.
    fn trainer<Y: TargetOf>(
        &self,
        model: Model<f32>,
        watch: &Watch,
        callbacks: bool,
    ) -> PyResult<Trainer<f32, Y>>
    where
        Box<dyn Loss<f32, Y>>: Kind + Loss<f32, Y>,
        Box<dyn Measure<f32, Y>>: Kind + Measure<f32, Y>,
    {
        let registry = registry();
        let mut trainer = Trainer::new(model, self.loss::<Y>(registry)?, self.optimizer(registry)?)
            .batch_size(self.batch_size)
            .accumulate(self.accumulate)
            .shards(self.shards)
            .seed(Seed(self.seed))
            .shuffle(self.shuffle)
            .portable(self.portable)
            .skip_nonfinite(self.skip_nonfinite);
        if let Some(threads) = self.threads {
            trainer = trainer.threads(threads);
        }
        if self.audit {
            trainer = trainer.audit(Audit::default());
        }
        for metric in &self.metrics {
            let metric: Box<dyn Measure<f32, Y>> =
                registry.build(metric).map_err(IntoException::exception)?;
            trainer = trainer.metric(metric);
        }
        for stopping in &self.stopping {
            trainer = trainer.callback(stopping.get().callback());
        }
        if let Some(path) = &self.checkpoint {
            trainer = trainer.callback(Checkpoints::new(path).every_epochs(1));
        }
        trainer = trainer.callback(Bridge { watch: watch.clone(), callbacks });
        match &self.resume {
            Some(path) => trainer.resume(path).map_err(IntoException::exception),
            None => Ok(trainer),
        }
    }
}

/// The description of an argument.
fn described(text: &str) -> PyResult<Description> {
    text.parse().map_err(IntoException::exception)
}

#[pymethods]
impl PyTrainer {
    #[new]
    #[pyo3(signature = (
        model, *, loss, optimizer = "adam", schedule = None, metrics = Vec::new(), batch_size = 32, accumulate = 1, shards = None,
        threads = None, seed = 0, shuffle = true, portable = false, skip_nonfinite = 0, audit = false, callbacks = Vec::new(),
        checkpoint = None, resume = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    fn new(
        py: Python<'_>,
        model: PyRef<'_, PyModel>,
        loss: &str,
        optimizer: &str,
        schedule: Option<&str>,
        metrics: Vec<String>,
        batch_size: usize,
        accumulate: usize,
        shards: Option<usize>,
        threads: Option<usize>,
        seed: u64,
        shuffle: bool,
        portable: bool,
        skip_nonfinite: u64,
        audit: bool,
        callbacks: Vec<Py<PyAny>>,
        checkpoint: Option<PathBuf>,
        resume: Option<PathBuf>,
    ) -> PyResult<Self> {
        let (stopping, callbacks): (Vec<_>, Vec<_>) =
            callbacks.into_iter().partition(|callback| callback.bind(py).is_instance_of::<PyEarlyStopping>());
        let stopping = stopping
            .into_iter()
            .map(|stopping| Ok(stopping.into_bound(py).cast_into::<PyEarlyStopping>()?.unbind()))
            .collect::<PyResult<_>>()?;
        for callback in &callbacks {
            let callback = callback.bind(py);
            if !callback.is_callable() {
                return Err(type_error(format!("the callback {} cannot be called", callback.repr()?)));
            }
        }
        let metrics = metrics.iter().map(|metric| described(metric)).collect::<PyResult<_>>()?;
        let mut settings = Settings {
            loss: described(loss)?,
            optimizer: described(optimizer)?,
            schedule: schedule.map(described).transpose()?,
            metrics,
            batch_size,
            accumulate,
            shards,
            threads,
            seed,
            shuffle,
            portable,
            skip_nonfinite,
            audit,
            stopping,
            checkpoint,
            resume,
            takes: Outputs::Values,
        };
        settings.takes = settings.loss::<ClassTarget<f32>>(registry())?.outputs();
        let watch = Watch::default();
        // What cannot be built or resumed is found here.
        let trainer = settings.trainer::<ClassTarget<f32>>(model.model.clone(), &watch, false)?;
        let (model, epochs_done) = (Box::new(trainer.evaluated_model()), trainer.epochs_done());
        Ok(Self { settings, state: Mutex::new(State::New { model, epochs_done }), watch, callbacks })
    }

    /// Trains on the samples `x`, an array whose first axis counts them, and their targets `y`, for a number of epochs. Called again, it
    /// goes on, also where it was stopped in the middle of an epoch.
    ///
    /// `y` is classes, whole numbers from 0 in one axis, or vectors of values; `validation` is `(x, y)`, evaluated after each epoch.
    /// Arrays of numbers are read where they are, whatever their strides; targets are copied.
    #[pyo3(signature = (x, y, *, epochs = 1, validation = None))]
    fn fit(
        &self,
        py: Python<'_>,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        epochs: u64,
        validation: Option<Pair<'_>>,
    ) -> PyResult<PyHistory> {
        let takes = self.settings.takes;
        let samples = LentArray::new("x", x)?;
        let targets = Targets::new(y, takes)?;
        targets.check_count(samples.rows().len())?;
        let held_out = match &validation {
            Some((x, y)) => {
                let (samples, targets) = (LentArray::new("x of the validation", x)?, Targets::new(y, takes)?);
                targets.check_count(samples.rows().len())?;
                Some((samples, targets))
            }
            None => None,
        };
        let (train, validation) = (
            Part { rows: samples.rows(), targets: &targets },
            held_out.as_ref().map(|(samples, targets)| Part { rows: samples.rows(), targets }),
        );
        let mut state = self.begin(&targets)?;
        let state = &mut *state;
        let history = self.watch.during(py, &self.callbacks, || match state {
            State::Classes(trainer) => fit(trainer, train, validation, epochs),
            State::Values(trainer) => fit(trainer, train, validation, epochs),
            State::New { .. } => Ok(None),
        })?;
        let history = history.map_err(IntoException::exception)?;
        Ok(history.ok_or_else(other_targets)?.into())
    }

    /// The loss and the metrics of the samples `x` with the targets `y`.
    fn evaluate(&self, py: Python<'_>, x: &Bound<'_, PyAny>, y: &Bound<'_, PyAny>) -> PyResult<PyScores> {
        let samples = LentArray::new("x", x)?;
        let targets = Targets::new(y, self.settings.takes)?;
        targets.check_count(samples.rows().len())?;
        let part = Part { rows: samples.rows(), targets: &targets };
        let mut state = self.begin(&targets)?;
        let state = &mut *state;
        let scores = self.watch.during(py, &[], || match state {
            State::Classes(trainer) => evaluate(trainer, part),
            State::Values(trainer) => evaluate(trainer, part),
            State::New { .. } => Ok(None),
        })?;
        let scores = scores.map_err(IntoException::exception)?;
        Ok(scores.ok_or_else(other_targets)?.into())
    }

    /// A copy of the model as it is now; where the optimizer keeps a mean of the weights, with that.
    #[getter]
    fn model(&self) -> PyResult<PyModel> {
        let model = match &*self.state()? {
            State::New { model, .. } => (**model).clone(),
            State::Classes(trainer) => trainer.evaluated_model(),
            State::Values(trainer) => trainer.evaluated_model(),
        };
        Ok(PyModel { model })
    }

    /// Writes a checkpoint: the model, and all that the training needs to go on with the same bits, by `Trainer(..., resume=path)`. Callbacks of
    /// Python are no part of it.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let mut state = self.state()?;
        let saved = match &mut *state {
            State::New { model, epochs_done } => {
                let trainer = self.unchanged::<ClassTarget<f32>>(model, *epochs_done, false)?;
                py.detach(move || trainer.save(path))
            }
            State::Classes(trainer) => py.detach(move || trainer.save(path)),
            State::Values(trainer) => py.detach(move || trainer.save(path)),
        };
        saved.map_err(IntoException::exception)
    }

    /// The outputs of the model for the samples `x`.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, numpy::PyArrayDyn<f32>>> {
        self.model()?.predict(py, x)
    }

    /// The probability of each class for the samples `x`, as the loss takes the outputs.
    fn predict_proba<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        Ok(self.model()?.probabilities(x, self.settings.takes)?.into_pyarray(py))
    }

    /// What the loss takes the outputs of the model for: `"values"`, `"logits"` or `"probabilities"`.
    #[getter]
    fn outputs(&self) -> &'static str {
        match self.settings.takes {
            Outputs::Values => "values",
            Outputs::Logits => "logits",
            Outputs::Probabilities => "probabilities",
        }
    }

    /// The number of epochs completed.
    #[getter]
    fn epochs_done(&self) -> PyResult<u64> {
        Ok(match &*self.state()? {
            State::New { epochs_done, .. } => *epochs_done,
            State::Classes(trainer) => trainer.epochs_done(),
            State::Values(trainer) => trainer.epochs_done(),
        })
    }

    /// What was warned of so far.
    #[getter]
    fn warnings(&self) -> PyResult<Vec<String>> {
        let state = self.state()?;
        let warnings = match &*state {
            State::New { .. } => &[],
            State::Classes(trainer) => trainer.warnings(),
            State::Values(trainer) => trainer.warnings(),
        };
        Ok(warnings.iter().map(ToString::to_string).collect())
    }

    fn __repr__(&self) -> String {
        let Settings { loss, optimizer, .. } = &self.settings;
        format!("<chainrule.Trainer {loss}, {optimizer}>")
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        self.callbacks.iter().try_for_each(|callback| visit.call(callback))
    }
}

impl PyTrainer {
    /// What is trained, unless it is being trained.
    fn state(&self) -> PyResult<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(poisoned)) => Ok(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => Err(PyRuntimeError::new_err(
                "the trainer is at work: wait until fit or evaluate has returned; in a callback, use the model of the report",
            )),
        }
    }

    /// The trainer for the type of the first targets.
    fn begin(&self, targets: &Targets) -> PyResult<MutexGuard<'_, State>> {
        let mut state = self.state()?;
        if let State::New { model, epochs_done } = &*state {
            let callbacks = !self.callbacks.is_empty();
            *state = match targets {
                Targets::Classes(_) => {
                    State::Classes(Box::new(self.unchanged(model, *epochs_done, callbacks)?))
                }
                Targets::Values { .. } => {
                    State::Values(Box::new(self.unchanged(model, *epochs_done, callbacks)?))
                }
            };
        }
        Ok(state)
    }

    /// A trainer that begins where this one said that it does: the checkpoint that it goes on from is read again.
    fn unchanged<Y: TargetOf>(
        &self,
        model: &Model<f32>,
        epochs_done: u64,
        callbacks: bool,
    ) -> PyResult<Trainer<f32, Y>>
    where
        Box<dyn Loss<f32, Y>>: Kind + Loss<f32, Y>,
        Box<dyn Measure<f32, Y>>: Kind + Measure<f32, Y>,
    {
        let trainer = self.settings.trainer(model.clone(), &self.watch, callbacks)?;
        let Some(path) = &self.settings.resume else { return Ok(trainer) };
        let is_same = trainer.epochs_done() == epochs_done
            && trainer.evaluated_model().parameters_sha256() == model.parameters_sha256();
        if is_same {
            return Ok(trainer);
        }
        let path = path.display();
        Err(value_error(format!(
            "{path} has changed since this trainer was made: make another one to go on from it"
        )))
    }
}

/// Samples with their targets.
#[derive(Clone, Copy)]
struct Part<'a> {
    rows: &'a ArrayRows,
    targets: &'a Targets,
}

/// `None` if the targets are of another type than the trainer's.
fn fit<Y: TargetOf>(
    trainer: &mut Trainer<f32, Y>,
    train: Part<'_>,
    validation: Option<Part<'_>>,
    epochs: u64,
) -> Result<Option<History>, TrainError> {
    let Some(train) = ArraySamples::<Y>::new(train.rows, train.targets) else { return Ok(None) };
    let Some(validation) = validation else { return trainer.fit(&train, epochs).map(Some) };
    let Some(validation) = ArraySamples::<Y>::new(validation.rows, validation.targets) else {
        return Ok(None);
    };
    trainer.fit(&train, Fit::epochs(epochs).validation(&validation)).map(Some)
}

/// `None` as above.
fn evaluate<Y: TargetOf>(
    trainer: &mut Trainer<f32, Y>,
    part: Part<'_>,
) -> Result<Option<Scores>, TrainError> {
    let Some(samples) = ArraySamples::<Y>::new(part.rows, part.targets) else { return Ok(None) };
    trainer.evaluate(&samples).map(Some)
}

fn other_targets() -> PyErr {
    type_error(
        "y has values where the first targets of this trainer were classes, or the other way round: give targets of one type, or begin \
         with another trainer",
    )
}
