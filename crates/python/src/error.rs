//! Errors of the crates as exceptions of Python, with the same text.

use std::any::Any;
use std::error::Error;
use std::io;

use chainrule::core::DescriptionError;
use chainrule::interop::LoadError;
use chainrule::train::{FileError, ModelError, PredictError, TrainError};
use pyo3::exceptions::{
    PyFloatingPointError, PyMemoryError, PyOSError, PyRuntimeError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;

/// An error that is an exception.
pub(crate) trait IntoException {
    /// The exception, whose text is that of the error and its sources.
    fn exception(self) -> PyErr;
}

/// The text of an error and of its sources, which the texts do not repeat.
fn text(error: &dyn Error) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

impl IntoException for DescriptionError {
    fn exception(self) -> PyErr {
        PyValueError::new_err(text(&self))
    }
}

impl IntoException for ModelError {
    fn exception(self) -> PyErr {
        match self {
            Self::Memory { .. } => PyMemoryError::new_err(text(&self)),
            _ => PyValueError::new_err(text(&self)),
        }
    }
}

impl IntoException for PredictError {
    fn exception(self) -> PyErr {
        PyValueError::new_err(text(&self))
    }
}

impl IntoException for LoadError {
    fn exception(self) -> PyErr {
        PyValueError::new_err(text(&self))
    }
}

impl IntoException for FileError {
    fn exception(self) -> PyErr {
        match &self {
            // From an error of this kind, PyO3 makes `FileNotFoundError`, `PermissionError` and so on.
            Self::Io { source, .. } => io::Error::new(source.kind(), text(&self)).into(),
            _ => PyValueError::new_err(text(&self)),
        }
    }
}

impl IntoException for TrainError {
    fn exception(self) -> PyErr {
        match self {
            Self::Diverged { .. } | Self::NotFinite { .. } => PyFloatingPointError::new_err(text(&self)),
            Self::Memory { .. } => PyMemoryError::new_err(text(&self)),
            Self::Threads(_) => PyOSError::new_err(text(&self)),
            Self::File(error) => error.exception(),
            _ => PyValueError::new_err(text(&self)),
        }
    }
}

/// Of a value that is wrong.
pub(crate) fn value_error(text: impl Into<String>) -> PyErr {
    PyValueError::new_err(text.into())
}

/// Of a thing of a type that cannot be used.
pub(crate) fn type_error(text: impl Into<String>) -> PyErr {
    PyTypeError::new_err(text.into())
}

/// Of a panic, which is a bug.
pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref().copied());
    let text = text.unwrap_or("without a message");
    PyRuntimeError::new_err(format!("a panic in chainrule, which is a bug: {text}"))
}
