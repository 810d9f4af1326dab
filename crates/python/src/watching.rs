//! Python watches a training.
//!
//! The training runs on a thread of its own, without Python's lock; the thread that called `fit` waits for it. It runs the callbacks, so
//! that all Python code is where its caller expects it, and looks for signals, which only the main thread of Python gets.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chainrule::optim::schedule::Better;
use chainrule::train::callbacks::EarlyStopping;
use chainrule::train::{Callback, EpochReport, Event, Model, TrainerView};
use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::error::{of_panic, type_error, value_error};
use crate::reports::PyEpochReport;

/// How often the waiting thread looks for signals.
const SIGNALS: Duration = Duration::from_millis(50);

/// What the training tells the thread that waits.
struct Told {
    report: EpochReport,
    answers: Sender<Answer>,
}

/// What that answers.
enum Answer {
    /// Goes on with the next callback; or stops the training.
    Done(ControlFlow<()>),
    /// Asks for a copy of the model first.
    Model(Sender<Model<f32>>),
}

/// What a training and the thread that waits for it share.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    told: Arc<Mutex<Option<Sender<Told>>>>,
}

/// An epoch that callbacks are told of: it lasts until the last of them returns.
#[derive(Clone)]
pub(crate) struct Watched {
    answers: Arc<Mutex<Option<Sender<Answer>>>>,
}

impl Watched {
    fn new(answers: Sender<Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(Some(answers))) }
    }

    /// A copy of the model, unless the epoch is over.
    pub(crate) fn model(&self) -> Option<Model<f32>> {
        let (sender, model) = channel();
        {
            let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.as_ref()?.send(Answer::Model(sender)).ok()?;
        }
        model.recv().ok()
    }

    fn end(&self, flow: ControlFlow<()>) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answers) = answers {
            // If the training is over, the answer is not needed.
            let _ = answers.send(Answer::Done(flow));
        }
    }
}

impl Watch {
    /// Runs `train` on a thread of its own. Returns what it does, or the exception of a callback or a signal that stopped it.
    pub(crate) fn during<R: Send>(
        &self,
        py: Python<'_>,
        callbacks: &[Py<PyAny>],
        train: impl FnOnce() -> R + Send,
    ) -> PyResult<R> {
        let (sender, told) = channel();
        self.stop.store(false, Ordering::Relaxed);
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        let result = py.detach(move || {
            std::thread::scope(|scope| {
                let worker =
                    std::thread::Builder::new().name("chainrule".into()).spawn_scoped(scope, || {
                        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(train));
                        // This ends the waiting.
                        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        result
                    })?;
                let waited = self.wait(&told, callbacks);
                let result = worker.join().and_then(|result| result).map_err(|panic| of_panic(&*panic))?;
                waited.map(|()| result)
            })
        });
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
        result
    }

    /// Runs callbacks and looks for signals until the training is over. After an exception it is stopped.
    fn wait(&self, told: &Receiver<Told>, callbacks: &[Py<PyAny>]) -> PyResult<()> {
        let mut outcome = Ok(());
        loop {
            match told.recv_timeout(SIGNALS) {
                Ok(Told { report, answers }) => {
                    let watched = Watched::new(answers);
                    let flow = if outcome.is_ok() {
                        Python::attach(|py| call_all(py, callbacks, report, &watched))
                    } else {
                        Ok(ControlFlow::Break(()))
                    };
                    watched.end(*flow.as_ref().unwrap_or(&ControlFlow::Break(())));
                    if let Err(error) = flow {
                        outcome = Err(error);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return outcome,
            }
            if outcome.is_ok() {
                outcome = Python::attach(|py| py.check_signals());
            }
            if outcome.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Calls all of them, and says whether one of them stops the training: by returning `True`.
fn call_all(
    py: Python<'_>,
    callbacks: &[Py<PyAny>],
    report: EpochReport,
    watched: &Watched,
) -> PyResult<ControlFlow<()>> {
    let report = Bound::new(py, PyEpochReport::new(report, Some(watched.clone())))?;
    let mut flow = ControlFlow::Continue(());
    for callback in callbacks {
        let answer = callback.bind(py).call1((&report,))?;
        if answer.is_none() {
            continue;
        }
        let Ok(stop) = answer.cast::<PyBool>() else {
            return Err(type_error(format!(
                "a callback returned {}: return True to stop the training, False or None to go on",
                answer.repr()?
            )));
        };
        if stop.is_true() {
            flow = ControlFlow::Break(());
        }
    }
    Ok(flow)
}

/// Told of a training, it tells the thread that waits.
pub(crate) struct Bridge {
    pub(crate) watch: Watch,
    /// Whether there are callbacks to be told of epochs.
    pub(crate) callbacks: bool,
}

impl Callback<f32> for Bridge {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, f32>) -> ControlFlow<()> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let Event::EpochEnd(report) = event else { return ControlFlow::Continue(()) };
        if !self.callbacks {
            return ControlFlow::Continue(());
        }
        let (sender, answers) = channel();
        let told = Told { report: (*report).clone(), answers: sender };
        let sent = {
            let waiting = self.watch.told.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.as_ref().is_some_and(|waiting| waiting.send(told).is_ok())
        };
        while let (true, Ok(answer)) = (sent, answers.recv()) {
            match answer {
                Answer::Done(flow) => return flow,
                // The thread that asked may have stopped waiting.
                Answer::Model(sender) => drop(sender.send(training.evaluated_model())),
            }
        }
        ControlFlow::Continue(())
    }
}

/// Stops a training after `patience` epochs in a row in which a quantity has not improved: `"loss"`, or the name of a metric, of which a
/// lower (`"min"`) or a higher (`"max"`) value is better. With `restore_best`, the weights of the best epoch come back in the end.
#[pyclass(name = "EarlyStopping", module = "chainrule", frozen)]
pub(crate) struct PyEarlyStopping {
    patience: u64,
    monitor: String,
    better: Better,
    min_delta: f64,
    restore_best: bool,
}

#[pymethods]
impl PyEarlyStopping {
    #[new]
    #[pyo3(signature = (patience, *, monitor = "loss", better = "min", min_delta = 0.0, restore_best = false))]
    fn new(patience: u64, monitor: &str, better: &str, min_delta: f64, restore_best: bool) -> PyResult<Self> {
        let better = match better {
            "min" => Better::Min,
            "max" => Better::Max,
            _ => return Err(value_error(format!("`{better}` values are not better: say min or max"))),
        };
        Ok(Self { patience, monitor: monitor.to_owned(), better, min_delta, restore_best })
    }
}

impl PyEarlyStopping {
    /// The callback of a trainer.
    pub(crate) fn callback(&self) -> EarlyStopping<f32> {
        let stopping =
            EarlyStopping::new(self.patience).monitor(&self.monitor, self.better).min_delta(self.min_delta);
        if self.restore_best { stopping.restore_best() } else { stopping }
    }
}
