//! A model as C has it.

use std::ffi::{CStr, CString};

use chainrule_train::Model;
use ndarray::{Array2, ArrayView2};

use crate::failure::{Failure, Status};

/// A model, and the texts and shapes that C is given.
pub struct LoadedModel {
    model: Model<f32>,
    description: CString,
    input: Vec<usize>,
    output: Vec<usize>,
}

impl LoadedModel {
    pub(crate) fn load(path: &str) -> Result<Self, Failure> {
        let model = Model::<f32>::load(path).map_err(|error| Failure::of(Status::InvalidFile, &error))?;
        let description = CString::new(model.describe().to_string()).unwrap_or_default();
        let (input, output) = (model.input().to_vec(), model.output().to_vec());
        Ok(Self { model, description, input, output })
    }

    pub(crate) fn description(&self) -> &CStr {
        &self.description
    }

    pub(crate) fn input(&self) -> &[usize] {
        &self.input
    }

    pub(crate) fn output(&self) -> &[usize] {
        &self.output
    }

    pub(crate) fn predict(&self, samples: &[f32], count: usize) -> Result<Array2<f32>, Failure> {
        let x = ArrayView2::from_shape((count, samples.len() / count), samples)
            .map_err(|error| Failure::of(Status::InvalidSamples, &error))?;
        self.model.predict(x).map_err(|error| Failure::of(Status::InvalidSamples, &error))
    }
}
