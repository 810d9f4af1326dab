//! The dense layer.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{
    Backward, Constant, Described, DescriptionError, Entry, Forward, Initializer, Layer, Plan, Range,
    SettingValue, Settings, ShapeError, SparseGrad, Value, described, entry,
};
use chainrule_tensor::{Real, Shape, SparseMatrix, gemm, vector};

use crate::bias::{bias_init, bias_values};
use crate::init::{FanInUniform, GlorotUniform};

/// A dense (fully connected, linear) layer: `Z = X W + b`, with `X` of shape `[rows, inputs]`, `W` of
/// `[inputs, units]` and `b` of `[units]`.
///
/// Weights and biases are initialised uniformly in `±1/√inputs`, as in PyTorch's `Linear`; [`keras`](Self::keras) uses
/// Glorot-uniform weights and zero biases, as Keras' `Dense`.
#[derive(Clone)]
pub struct Dense {
    units: usize,
    weight: Arc<dyn Initializer>,
    bias: Option<Arc<dyn Initializer>>,
    sparse: bool,
}

/// As files have it that are older than sparse layers.
impl fmt::Debug for Dense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { units, weight, bias, sparse } = self;
        let mut text = f.debug_struct("Dense");
        text.field("units", units).field("weight", weight).field("bias", bias);
        if *sparse {
            text.field("sparse", sparse);
        }
        text.finish()
    }
}

impl Described for Dense {
    const ENTRY: Entry = entry! {
        /// A dense layer: each output is a weighted sum of all inputs.
        Dense = "dense";
        aliases ["linear", "fully_connected"];
        formula "Z = X W + b";
        settings {
            /// The number of outputs.
            units ("out_features"): required, Range::AT_LEAST_ONE;
            /// Whether there are biases.
            bias ("use_bias"): true;
            /// The first weights.
            weight_init ("kernel_initializer"): fan_in_uniform;
            /// The first biases.
            bias_init ("bias_initializer"): fan_in_uniform;
            /// For inputs that are mostly 0: whether only the others are multiplied, and a step updates only their weights.
            sparse: false;
        }
        presets { keras { weight_init = glorot_uniform, bias_init = constant(0.0) } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            units: settings.get("units")?,
            weight: settings.get("weight_init")?,
            bias: bias_init(settings)?,
            sparse: settings.get("sparse")?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        let [bias, bias_init] = bias_values(self.bias.as_ref(), &Self::ENTRY);
        vec![self.units.to_value(), bias, self.weight.to_value(), bias_init, self.sparse.to_value()]
    }
}

impl Dense {
    /// A layer with this number of outputs.
    pub fn new(units: usize) -> Self {
        Self { units, weight: Arc::new(FanInUniform), bias: Some(Arc::new(FanInUniform)), sparse: false }
    }

    /// A layer with the initialisers of Keras.
    pub fn keras(units: usize) -> Self {
        let bias: Arc<dyn Initializer> = Arc::new(Constant(0.0));
        Self { weight: Arc::new(GlorotUniform), bias: Some(bias), ..Self::new(units) }
    }

    /// Sets the initialiser of the weights.
    #[must_use]
    pub fn weight_init(self, init: impl Initializer + 'static) -> Self {
        Self { weight: Arc::new(init), ..self }
    }

    /// Sets the initialiser of the biases.
    #[must_use]
    pub fn bias_init(self, init: impl Initializer + 'static) -> Self {
        Self { bias: Some(Arc::new(init)), ..self }
    }

    /// Without biases: `Z = X W`.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// For inputs that are mostly 0, such as bags of words: only the others are multiplied, and the optimizer updates only the weights
    /// of inputs that some sample of the batch has. So a step takes as long for a million inputs as for a thousand, most of all where
    /// the samples are stored without their zeros (`SparseRows`).
    ///
    /// For plain gradient descent the result is that of the same samples without this setting, up to rounding. The momentum and the decay
    /// of the weights of an input pause in steps whose batch does not have it, as those of [`Embedding::sparse`](crate::Embedding::sparse).
    #[must_use]
    pub fn sparse(self) -> Self {
        Self { sparse: true, ..self }
    }
}

/// The cache of a [`Dense`] layer.
#[derive(Clone, Debug)]
pub struct DenseCache<T> {
    /// The inputs that are not 0, if the layer is sparse.
    x: SparseMatrix<T>,
    /// Scratch space for a gradient.
    terms: SparseGrad<T>,
}

impl<T> Default for DenseCache<T> {
    fn default() -> Self {
        Self { x: SparseMatrix::default(), terms: SparseGrad::default() }
    }
}

impl<T: Real> Layer<T> for Dense {
    type Cache = DenseCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, DenseCache<T>), ShapeError> {
        let units = self.units;
        let &[inputs] = &*input else {
            return Err(plan.error(input, "a vector, [features]", "put Flatten before it"));
        };
        plan.at_least_one(units, "a number of units", input)?;
        if inputs == 0 {
            return Err(plan.error(input, "at least one feature", "look for an axis of length 0 before it"));
        }
        let fans = (inputs, units);
        if self.sparse {
            if u32::try_from(inputs).is_err() {
                return Err(plan.error(input, "fewer than 2^32 inputs", "leave out `sparse`"));
            }
            plan.sparse_product("weight", [inputs, units], fans, &self.weight)?;
        } else {
            plan.product("weight", [inputs, units], fans, &self.weight)?;
        }
        if let Some(bias) = &self.bias {
            plan.bias("bias", [units], fans, bias)?;
        }
        plan.flops(2 * inputs as u64 * units as u64); // cannot overflow: the weight fits in memory
        Ok((Shape::from([units]), DenseCache::default()))
    }

    described!();

    fn forward(&self, Forward { mut params, x, mut y, cache, .. }: Forward<'_, T, DenseCache<T>>) {
        if self.sparse {
            params.sparse_product(x, &mut cache.x, y.view_mut());
        } else {
            params.product(x, y.view_mut()); //            Z = X W
        }
        if self.bias.is_some() {
            let b = params.take([self.units]);
            vector::add_to_rows(b, y); //                  Z += b
        }
    }

    fn backward(&self, pass: Backward<'_, T, DenseCache<T>>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let shape = [x.ncols(), self.units];
        let w = params.take(shape);
        if self.sparse {
            grads.sparse_product(shape, &cache.x, dy, &mut cache.terms);
        } else {
            grads.product(x, dy); //                       dW = Xᵀ dZ
        }
        if self.bias.is_some() {
            let db = grads.take([self.units]);
            vector::sum_rows(dy, db); //                   db = Σ rows of dZ
        }
        if let Some(dx) = dx {
            gemm(T::one(), dy, w.t(), T::zero(), dx); //   dX = dZ Wᵀ
        }
    }
}
