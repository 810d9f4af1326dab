//! A layer applied to each step.

use chainrule_core::{
    AnyLayer, Backward, Described, Description, DescriptionError, Entry, Forward, Layer, Mode, Plan,
    SettingValue, Settings, ShapeError, Value, ValueError, entry,
};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::steps::{plan_each_step, split_steps};
use super::unrolled::copy;

/// Applies an inner layer to every step of a sequence, with the same weights (Keras' `TimeDistributed`): samples
/// `[steps, ...]` become `[steps, ...]`, each step as the inner layer returns it.
///
/// The steps of all samples are the rows of one pass of the inner layer.
///
/// ```
/// use chainrule_core::{Sequential, gradcheck};
/// use chainrule_layers::{Dense, Rnn, TimeDistributed};
/// let layers = Sequential::<f64>::default().then(Rnn::new(4).sequences()).then(TimeDistributed(Dense::new(2)));
/// gradcheck::gradients(&layers, [5, 3])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeDistributed<L>(pub L);

impl<T: Real> Described for TimeDistributed<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// A layer that is applied to each step of a sequence.
        TimeDistributed = "time_distributed";
        formula "y[t] = f(x[t])";
        settings {
            /// The layer.
            layer: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("layer").map(Self)
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.0.to_value()]
    }
}

/// What a [`TimeDistributed`] layer keeps between its passes: the inner layer's cache, and copies of strided matrices.
#[derive(Clone, Debug, Default)]
pub struct TimeDistributedCache<T: Real, C> {
    cache: C,
    steps: usize,
    copies: [Buffer<T>; 4],
}

/// The steps of all rows as rows; in `buffer` if the matrix is strided.
fn steps_as_rows<'a, T: Real>(
    values: ArrayView2<'a, T>,
    steps: usize,
    buffer: &'a mut Buffer<T>,
) -> ArrayView2<'a, T> {
    let (rows, columns) = values.dim();
    let shape = (rows * steps, columns / steps);
    if values.is_standard_layout() {
        return values.into_shape_with_order(shape).expect("it is in standard layout");
    }
    buffer.reserve(rows * columns);
    copy(values, buffer.matrix_mut(rows, columns));
    (*buffer).matrix(shape.0, shape.1)
}

/// Lets `write` fill the steps of all rows as rows; by way of `buffer` if the matrix is strided.
fn write_steps_as_rows<T: Real>(
    mut values: ArrayViewMut2<'_, T>,
    steps: usize,
    buffer: &mut Buffer<T>,
    write: impl FnOnce(ArrayViewMut2<'_, T>),
) {
    let (rows, columns) = values.dim();
    let shape = (rows * steps, columns / steps);
    if values.is_standard_layout() {
        return write(values.into_shape_with_order(shape).expect("it is in standard layout"));
    }
    buffer.reserve(rows * columns);
    write(buffer.matrix_mut(shape.0, shape.1));
    copy(buffer.matrix(rows, columns), values.view_mut());
}

impl<T: Real, L: Layer<T>> Layer<T> for TimeDistributed<L> {
    type Cache = TimeDistributedCache<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (steps, step) = split_steps(input, plan)?;
        let (inner, cache, _) = plan.repeated(steps, |plan| {
            plan_each_step(plan, input, steps, |plan| plan.inner("step", &self.0, step))
        })?;
        let Some(output) = Shape::new(&[&[steps], &*inner].concat()) else {
            let help = format!("the inner layer returns {inner} for each step");
            return Err(plan.error(input, "an inner layer that returns samples of at most five axes", &help));
        };
        Ok((output, TimeDistributedCache { cache, steps, copies: Default::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn is_identity(&self) -> bool {
        self.0.is_identity()
    }

    fn description(&self) -> Description {
        <TimeDistributed<AnyLayer<T>> as Described>::ENTRY.description([self.0.description().into()])
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let TimeDistributedCache { cache, steps, copies: [x_copy, y_copy, ..] } = cache;
        let mode = match mode {
            Mode::Train { seed, first_row } => Mode::Train { seed, first_row: first_row * *steps },
            Mode::Eval => Mode::Eval,
        };
        let x = steps_as_rows(x, *steps, x_copy);
        write_steps_as_rows(y, *steps, y_copy, |y| {
            self.0.forward(Forward { params, x, y, cache, mode: mode.inner(0) });
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let TimeDistributedCache { cache, steps, copies: [x_copy, y_copy, dy_copy, dx_copy] } = cache;
        let x = steps_as_rows(x, *steps, x_copy);
        let y = steps_as_rows(y, *steps, y_copy);
        let dy = steps_as_rows(dy, *steps, dy_copy);
        match dx {
            Some(dx) => write_steps_as_rows(dx, *steps, dx_copy, |dx| {
                self.0.backward(Backward { params, grads, x, y, dy, dx: Some(dx), cache, share });
            }),
            None => self.0.backward(Backward { params, grads, x, y, dy, dx: None, cache, share }),
        }
    }
}
