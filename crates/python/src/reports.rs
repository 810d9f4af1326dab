//! What a training has done.

use chainrule::metrics::{MetricValue, Undefined};
use chainrule::train::{EpochReport, History, Scores};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::error::value_error;
use crate::model::PyModel;
use crate::watching::Watched;

/// The mean loss and the metrics over some samples: `scores["accuracy"]`.
#[pyclass(name = "Scores", module = "chainrule", frozen)]
pub(crate) struct PyScores {
    scores: Scores,
}

impl From<Scores> for PyScores {
    fn from(scores: Scores) -> Self {
        Self { scores }
    }
}

/// A value as Python has it: a number, a list of one for each class or column, or the columns of a table. What is undefined is `None`.
fn value<'py>(py: Python<'py>, value: &MetricValue) -> PyResult<Bound<'py, PyAny>> {
    let numbers = |numbers: &[Result<f64, Undefined>]| {
        PyList::new(py, numbers.iter().map(|number| number.as_ref().ok().copied()))
    };
    Ok(match value {
        MetricValue::Number(number) => number.into_pyobject(py)?.into_any(),
        MetricValue::Undefined(_) => py.None().into_bound(py),
        MetricValue::Vector(values) => numbers(values)?.into_any(),
        MetricValue::Table(table) => {
            let columns = PyDict::new(py);
            for (index, name) in table.columns().iter().enumerate() {
                let column: Vec<f64> = table.rows().iter().map(|row| row[index]).collect();
                columns.set_item(name, column)?;
            }
            columns.into_any()
        }
    })
}

impl PyScores {
    fn metrics_of<'py>(py: Python<'py>, scores: &Scores) -> PyResult<Bound<'py, PyDict>> {
        let metrics = PyDict::new(py);
        scores.metrics.iter().try_for_each(|(name, found)| metrics.set_item(name, value(py, found)?))?;
        Ok(metrics)
    }
}

#[pymethods]
impl PyScores {
    /// The mean loss of a sample.
    #[getter]
    fn loss(&self) -> f64 {
        self.scores.loss
    }

    /// The value of each metric, by name: a number, a list, or the columns of a table; what is undefined is `None`.
    #[getter]
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Self::metrics_of(py, &self.scores)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.scores.value(name) {
            Some(found) => value(py, found),
            None if name == "loss" => Ok(self.scores.loss.into_pyobject(py)?.into_any()),
            None => Err(PyKeyError::new_err(name.to_owned())),
        }
    }

    fn __repr__(&self) -> String {
        format!("<chainrule.Scores {}>", self.scores)
    }

    fn __str__(&self) -> String {
        self.scores.to_string()
    }
}

/// One epoch of a training.
#[pyclass(name = "EpochReport", module = "chainrule", frozen)]
pub(crate) struct PyEpochReport {
    report: EpochReport,
    /// Where a callback is told of it.
    watched: Option<Watched>,
}

impl PyEpochReport {
    pub(crate) fn new(report: EpochReport, watched: Option<Watched>) -> Self {
        Self { report, watched }
    }
}

#[pymethods]
impl PyEpochReport {
    /// The epoch, from 0.
    #[getter]
    fn epoch(&self) -> u64 {
        self.report.epoch
    }

    /// The scores of the training samples, each evaluated when it was trained on, while the parameters changed.
    #[getter]
    fn train(&self) -> PyScores {
        self.report.train.clone().into()
    }

    /// Those of the validation after the epoch, if there is one.
    #[getter]
    fn validation(&self) -> Option<PyScores> {
        self.report.validation.clone().map(PyScores::from)
    }

    /// How long the training took, without the validation.
    #[getter]
    fn seconds(&self) -> f64 {
        self.report.seconds
    }

    /// The number of samples that were trained on.
    #[getter]
    fn samples(&self) -> usize {
        self.report.samples
    }

    /// A copy of the model after the epoch, while a callback is told of it.
    fn model(&self, py: Python<'_>) -> PyResult<PyModel> {
        let model = py.detach(|| self.watched.as_ref().and_then(Watched::model));
        model.map(|model| PyModel { model }).ok_or_else(|| {
            value_error(
                "the model of an epoch is there only while a callback is told of it: use Trainer.model",
            )
        })
    }

    fn __repr__(&self) -> String {
        let EpochReport { epoch, train, validation, .. } = &self.report;
        let validation =
            validation.as_ref().map_or_else(String::new, |scores| format!("; validation {scores}"));
        format!("<chainrule.EpochReport {epoch}: {train}{validation}>")
    }
}

/// The epochs of a training.
#[pyclass(name = "History", module = "chainrule", frozen)]
pub(crate) struct PyHistory {
    history: History,
}

impl From<History> for PyHistory {
    fn from(history: History) -> Self {
        Self { history }
    }
}

#[pymethods]
impl PyHistory {
    /// One report for each epoch that was completed.
    #[getter]
    fn epochs(&self) -> Vec<PyEpochReport> {
        self.history.epochs.iter().map(|report| PyEpochReport::new(report.clone(), None)).collect()
    }

    /// The epoch in the middle of which the training was stopped.
    #[getter]
    fn unfinished(&self) -> Option<PyEpochReport> {
        self.history.unfinished.clone().map(|report| PyEpochReport::new(report, None))
    }

    /// Whether a callback stopped the training.
    #[getter]
    fn stopped(&self) -> bool {
        self.history.stopped
    }

    /// The number of steps that were left out since they would not have been finite.
    #[getter]
    fn skipped(&self) -> u64 {
        self.history.skipped
    }

    /// A list of a value for each epoch, by name: `loss`, the metrics, `seconds`, and `validation_loss` and so on.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let lists = PyDict::new(py);
        let push = |name: String, found: Bound<'py, PyAny>| -> PyResult<()> {
            match lists.get_item(&name)? {
                Some(list) => list.cast_into::<PyList>()?.append(found),
                None => lists.set_item(name, PyList::new(py, [found])?),
            }
        };
        for EpochReport { train, validation, seconds, .. } in &self.history.epochs {
            for (scores, before) in [(Some(train), ""), (validation.as_ref(), "validation_")] {
                let Some(scores) = scores else { continue };
                push(format!("{before}loss"), scores.loss.into_pyobject(py)?.into_any())?;
                for (name, found) in &scores.metrics {
                    push(format!("{before}{name}"), value(py, found)?)?;
                }
            }
            push("seconds".to_owned(), seconds.into_pyobject(py)?.into_any())?;
        }
        Ok(lists)
    }

    fn __len__(&self) -> usize {
        self.history.epochs.len()
    }

    fn __repr__(&self) -> String {
        let History { epochs, stopped, .. } = &self.history;
        let last = epochs.last().map_or_else(String::new, |report| format!("; the last: {}", report.train));
        let stopped = if *stopped { ", stopped" } else { "" };
        format!("<chainrule.History of {} epochs{stopped}{last}>", epochs.len())
    }
}
