//! Models: a network with its parameters.

use std::path::PathBuf;

use chainrule::interop::{Dtype, Loading, Names, StateDict, Tensor};
use chainrule::tensor::{MAX_RANK, Outputs, Seed, Shape};
use chainrule::train::Model;
use ndarray::{Array1, Array2, s};
use numpy::{IntoPyArray, PyArray1, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::array_rows::{ArrayRows, LentArray, array};
use crate::error::{IntoException, of_panic, type_error, value_error};
use crate::names::registry;

/// How many samples are predicted at a time.
const ROWS: usize = 256;

/// A network with its parameters.
///
/// `layers` is a description such as `"dense(64) then relu then dense(3)"`, `input` the shape of a sample, a number or a tuple, and
/// `seed` gives the initial parameters. Parameters are in single precision.
#[pyclass(name = "Model", module = "chainrule")]
#[derive(Clone)]
pub(crate) struct PyModel {
    pub(crate) model: Model<f32>,
}

/// The shape of samples: a number, or a tuple or list of them.
fn shape(input: &Bound<'_, PyAny>) -> PyResult<Shape> {
    let axes = input.extract::<i64>().map(|axis| vec![axis]).or_else(|_| input.extract::<Vec<i64>>());
    let axes = axes.map_err(|_| {
        type_error(format!("input is the shape of a sample, a number or a tuple of numbers, and not {input}"))
    })?;
    let sizes = axes.iter().map(|&axis| usize::try_from(axis).ok()).collect::<Option<Vec<_>>>();
    sizes.and_then(|sizes| Shape::new(&sizes)).ok_or_else(|| {
        value_error(format!("no sample can have the shape {axes:?}: give up to {MAX_RANK} sizes"))
    })
}

/// The names of tensors that are chosen by this word.
fn names_of(word: &str) -> PyResult<Names> {
    Ok(match word {
        "chainrule" => Names::Chainrule,
        "pytorch" => Names::PyTorch,
        "keras" => Names::Keras,
        _ => {
            return Err(value_error(format!(
                "there are no names of `{word}`: choose chainrule, pytorch or keras"
            )));
        }
    })
}

/// A shape as a tuple.
fn tuple<'py>(py: Python<'py>, shape: Shape) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, shape.iter())
}

#[pymethods]
impl PyModel {
    #[new]
    #[pyo3(signature = (layers, input, *, seed = 0))]
    fn new(py: Python<'_>, layers: &str, input: &Bound<'_, PyAny>, seed: u64) -> PyResult<Self> {
        let description = layers.parse().map_err(IntoException::exception)?;
        let input = shape(input)?;
        let model = py.detach(|| {
            let layers = chainrule::core::Sequential::from_description(&description, registry());
            layers.map_err(Into::into).and_then(|layers| Model::new(input, layers, Seed(seed)))
        });
        Ok(Self { model: model.map_err(IntoException::exception)? })
    }

    /// Reads a model file, or the model of a checkpoint.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let model = py.detach(|| Model::load_with(path, registry()));
        Ok(Self { model: model.map_err(IntoException::exception)? })
    }

    /// Writes a model file, whole or not at all.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.model.save(path)).map_err(IntoException::exception)
    }

    /// The shape of a sample.
    #[getter]
    fn input<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.model.input())
    }

    /// The shape of the output for a sample.
    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.model.output())
    }

    /// The number of parameters.
    #[getter]
    fn size(&self) -> usize {
        self.model.parameters().len()
    }

    /// What was noted in the model, by name.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let notes = PyDict::new(py);
        self.model.notes().iter().try_for_each(|(name, text)| notes.set_item(name, text))?;
        Ok(notes)
    }

    /// The layers as a text, from which `Model` makes them again.
    fn describe(&self) -> String {
        self.model.describe().to_string()
    }

    /// The layers, their output shapes and parameters as a table.
    fn summary(&self) -> String {
        self.model.summary().to_string()
    }

    /// The SHA-256 of the parameters in hexadecimal: equal if and only if every bit is.
    fn parameters_sha256(&self) -> String {
        self.model.parameters_sha256()
    }

    /// The outputs for the samples `x`, an array whose first axis counts them.
    pub(crate) fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let outputs = self.outputs(x)?;
        let shape: Vec<usize> =
            [outputs.nrows()].into_iter().chain(self.model.output().iter().copied()).collect();
        let outputs = outputs.into_shape_with_order(shape).map_err(|error| value_error(error.to_string()))?;
        Ok(outputs.into_pyarray(py))
    }

    /// The probability of each class for the samples `x`: of one output that of the second class beside that of the first. The outputs
    /// of the model are `"logits"` or `"probabilities"`, as its loss takes them: `Trainer.outputs`.
    #[pyo3(signature = (x, *, outputs = "logits"))]
    fn predict_proba<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        outputs: &str,
    ) -> PyResult<Bound<'py, numpy::PyArray2<f32>>> {
        let takes = match outputs {
            "logits" => Outputs::Logits,
            "probabilities" => Outputs::Probabilities,
            "values" => Outputs::Values,
            _ => {
                return Err(value_error(format!("outputs are not `{outputs}`: say logits or probabilities")));
            }
        };
        Ok(self.probabilities(x, takes)?.into_pyarray(py))
    }

    /// The parameters and running statistics as arrays by name, copies, with the names and layouts of `"chainrule"`, `"pytorch"` or
    /// `"keras"`.
    #[pyo3(signature = (*, names = "chainrule"))]
    fn state_dict<'py>(&self, py: Python<'py>, names: &str) -> PyResult<Bound<'py, PyDict>> {
        let arrays = PyDict::new(py);
        for (name, tensor) in StateDict::of(&self.model, names_of(names)?).iter() {
            // In single precision, as the model.
            let values: Array1<f32> =
                tensor.values().into_iter().flatten().map(|value| value as f32).collect();
            let values = values.into_shape_with_order(tensor.shape());
            let values = values.map_err(|error| value_error(error.to_string()))?;
            arrays.set_item(name, values.into_pyarray(py))?;
        }
        Ok(arrays)
    }

    /// Replaces the parameters by arrays of these names. Unless it is `strict`, arrays may be missing, whose parameters stay as they are,
    /// and others are left out. Arrays in double precision are refused unless they may be `rounded`. On an error nothing is changed.
    /// Returns the names that were missing, and those that were left out.
    #[pyo3(signature = (arrays, *, names = "chainrule", strict = true, rounded = false))]
    fn load_state_dict(
        &mut self,
        arrays: &Bound<'_, PyDict>,
        names: &str,
        strict: bool,
        rounded: bool,
    ) -> PyResult<(Vec<String>, Vec<String>)> {
        let mut dict = StateDict::new();
        for (name, values) in arrays.iter() {
            let name: String = name.extract()?;
            dict.insert(name.clone(), tensor(&name, &values)?);
        }
        let loading = Loading::new(names_of(names)?);
        let loading = if strict { loading } else { loading.lenient() };
        let loading = if rounded { loading.rounded() } else { loading };
        let loaded = loading.load(&dict, &mut self.model).map_err(IntoException::exception)?;
        Ok((loaded.missing, loaded.surplus))
    }

    fn __repr__(&self) -> String {
        let parameters = self.model.parameters().len();
        format!("<chainrule.Model {}, {parameters} parameters>", self.model.describe())
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: &Bound<'_, PyAny>) -> Self {
        self.clone()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.borrow();
        let parameters = PyArray1::from_slice(py, this.model.parameters());
        let notes = this.notes(py)?;
        let parts = (this.describe(), this.input(py)?, parameters, notes);
        Ok((slf.get_type().getattr("_of_parts")?, parts.into_pyobject(py)?))
    }

    /// The model of what a pickle holds.
    #[staticmethod]
    fn _of_parts(
        layers: &str,
        input: &Bound<'_, PyAny>,
        parameters: &Bound<'_, PyArray1<f32>>,
        notes: &Bound<'_, PyDict>,
        py: Python<'_>,
    ) -> PyResult<Self> {
        let mut model = Self::new(py, layers, input, 0)?.model;
        let parameters = parameters.readonly();
        let parameters = parameters.as_slice().map_err(|error| value_error(error.to_string()))?;
        if parameters.len() != model.parameters().len() {
            let (found, expected) = (parameters.len(), model.parameters().len());
            return Err(value_error(format!("there are {found} parameters, but the layers have {expected}")));
        }
        model.parameters_mut().copy_from_slice(parameters);
        for (name, text) in notes.iter() {
            model = model.note(name.extract::<String>()?, text.extract::<String>()?);
        }
        Ok(Self { model })
    }
}

impl PyModel {
    /// The outputs, `[samples, size of the output]`.
    fn outputs(&self, x: &Bound<'_, PyAny>) -> PyResult<Array2<f32>> {
        let lent = LentArray::new("x", x)?;
        let rows = lent.rows();
        self.check(rows.shape())?;
        let work = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.outputs_of(rows)));
        x.py().detach(work).map_err(|panic| of_panic(&*panic))?
    }

    fn outputs_of(&self, rows: &ArrayRows) -> PyResult<Array2<f32>> {
        let Self { model } = self;
        let mut outputs = Array2::zeros((rows.len(), model.output().size()));
        let mut batch = Array2::zeros((rows.len().min(ROWS), model.input().size()));
        let mut predictor = model.predictor();
        for first in (0..rows.len()).step_by(ROWS) {
            let count = ROWS.min(rows.len() - first);
            let mut batch = batch.slice_mut(s![..count, ..]);
            for (index, mut row) in batch.rows_mut().into_iter().enumerate() {
                if let Some(row) = row.as_slice_mut() {
                    rows.read(first + index, 0..row.len(), row);
                }
            }
            // Every sample begins with states of zeros.
            predictor.reset();
            let found = predictor.predict(batch.view()).map_err(IntoException::exception)?;
            outputs.slice_mut(s![first..first + count, ..]).assign(&found);
        }
        Ok(outputs)
    }

    /// Whether the model accepts samples of this shape.
    fn check(&self, samples: Shape) -> PyResult<()> {
        let model = self.model.input();
        if samples == model {
            return Ok(());
        }
        Err(value_error(format!(
            "the samples have the shape {samples}, but the model was planned for {model}: plan it for the data's shape, or reshape the data"
        )))
    }

    /// The probabilities of classes, from outputs that the loss takes for this.
    pub(crate) fn probabilities(&self, x: &Bound<'_, PyAny>, takes: Outputs) -> PyResult<Array2<f32>> {
        if takes == Outputs::Values {
            return Err(value_error(
                "the loss takes the outputs for values, which are no probabilities: use predict",
            ));
        }
        let mut outputs = self.outputs(x)?;
        let single = outputs.ncols() == 1;
        if takes == Outputs::Logits {
            if single {
                outputs.mapv_inplace(|logit| 1.0 / (1.0 + (-logit).exp()));
            } else {
                let columns = outputs.ncols();
                if let Some(values) = outputs.as_slice_mut() {
                    chainrule::tensor::vector::softmax(values, columns);
                }
            }
        }
        if !single {
            return Ok(outputs);
        }
        let of_class = |(row, class): (usize, usize)| {
            let yes = outputs[[row, 0]];
            if class == 1 { yes } else { 1.0 - yes }
        };
        Ok(Array2::from_shape_fn((outputs.nrows(), 2), of_class))
    }
}

/// The array of a state dict as a tensor.
fn tensor(name: &str, values: &Bound<'_, PyAny>) -> PyResult<Tensor> {
    let values = array(values)?;
    let (dtype, number) = match (&*crate::array_rows::kind(&values)?, values.dtype().itemsize()) {
        ("f", 2) => (Dtype::F16, "<f2"),
        ("f", 4) => (Dtype::F32, "<f4"),
        ("f", 8) => (Dtype::F64, "<f8"),
        _ => {
            let dtype = values.dtype();
            return Err(type_error(format!(
                "the array `{name}` has the dtype {dtype}: give float16, float32 or float64"
            )));
        }
    };
    let bytes: Vec<u8> = values.call_method1("astype", (number,))?.call_method0("tobytes")?.extract()?;
    Tensor::new(dtype, values.shape(), bytes).map_err(|error| value_error(error.to_string()))
}
