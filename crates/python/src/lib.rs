//! The Python package: what Python calls.
//!
//! The decision here: **arrays are read where they are, and Python runs on its own thread.** A sample is converted when it is gathered, as
//! from any data set, so an array is not copied; a training runs without Python's lock on another thread, while the thread that called
//! runs the callbacks and looks for Ctrl-C. What the package adds in Python is in `python/chainrule`.

mod array_rows;
mod error;
mod model;
mod names;
mod reports;
mod targets;
mod trainer;
mod watching;

/// Train neural networks on NumPy arrays.
#[pyo3::pymodule]
mod _chainrule {
    use std::ffi::CString;

    use pyo3::exceptions::PyRuntimeWarning;
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::model::PyModel;
    #[pymodule_export]
    use crate::names::{describe, list};
    #[pymodule_export]
    use crate::reports::{PyEpochReport, PyHistory, PyScores};
    #[pymodule_export]
    use crate::trainer::PyTrainer;
    #[pymodule_export]
    use crate::watching::PyEarlyStopping;

    /// Says at once if products will take several times as long as they have to.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let Some(advice) = chainrule::tensor::blas::advice() else { return Ok(()) };
        let py = module.py();
        let text = CString::new(advice.to_string())?;
        PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 1)
    }

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name of Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
