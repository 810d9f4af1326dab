//! A layer for each step.

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, ShapeError, ValueError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::memory::copy;
use super::{repeated, steps};

/// Applies an inner layer to every step of a sequence, with the same weights (Keras' `TimeDistributed`): samples
/// `[steps, ...]` become `[steps, ...]`, each step as the inner layer makes it.
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

/// What a [`TimeDistributed`] remembers: the inner layer's cache, and copies of matrices whose steps do not lie side by
/// side.
#[derive(Clone, Debug, Default)]
pub struct Flat<T: Real, C> {
    cache: C,
    steps: usize,
    room: [Buffer<T>; 4],
}

/// The steps of all rows as rows; a copy in `room` if they do not lie side by side.
fn unfold<'a, T: Real>(
    values: ArrayView2<'a, T>,
    steps: usize,
    room: &'a mut Buffer<T>,
) -> ArrayView2<'a, T> {
    let (rows, columns) = values.dim();
    let shape = (rows * steps, columns / steps);
    if values.is_standard_layout() {
        return values.into_shape_with_order(shape).expect("it is in standard layout");
    }
    room.reserve(rows * columns);
    copy(values, room.matrix_mut(rows, columns));
    (*room).matrix(shape.0, shape.1)
}

/// Lets `write` fill the steps of all rows as rows; in `room` if they do not lie side by side.
fn fill<T: Real>(
    mut values: ArrayViewMut2<'_, T>,
    steps: usize,
    room: &mut Buffer<T>,
    write: impl FnOnce(ArrayViewMut2<'_, T>),
) {
    let (rows, columns) = values.dim();
    let shape = (rows * steps, columns / steps);
    if values.is_standard_layout() {
        return write(values.into_shape_with_order(shape).expect("it is in standard layout"));
    }
    room.reserve(rows * columns);
    write(room.matrix_mut(shape.0, shape.1));
    copy(room.matrix(rows, columns), values.view_mut());
}

impl<T: Real, L: Layer<T>> Layer<T> for TimeDistributed<L> {
    type Cache = Flat<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (steps, step) = steps(input, plan)?;
        let (inner, cache, _) = repeated(plan, input, steps, |plan| plan.inner("step", &self.0, step))?;
        let Some(output) = Shape::new(&[&[steps], &*inner].concat()) else {
            let help = format!("the inner layer returns {inner} for each step");
            return Err(plan.error(
                input,
                "an inner layer whose output leaves room for an axis of steps",
                &help,
            ));
        };
        Ok((output, Flat { cache, steps, room: Default::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn is_identity(&self) -> bool {
        self.0.is_identity()
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let Flat { cache, steps: count, room: [room_x, room_y, ..] } = cache;
        let mode = match mode {
            Mode::Train { seed, first_row } => Mode::Train { seed, first_row: first_row * *count },
            Mode::Eval => Mode::Eval,
        };
        let x = unfold(x, *count, room_x);
        fill(y, *count, room_y, |y| self.0.forward(Forward { params, x, y, cache, mode: mode.inner(0) }));
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let Flat { cache, steps: count, room: [room_x, room_y, room_dy, room_dx] } = cache;
        let (x, y, dy) = (unfold(x, *count, room_x), unfold(y, *count, room_y), unfold(dy, *count, room_dy));
        match dx {
            Some(dx) => fill(dx, *count, room_dx, |dx| {
                self.0.backward(Backward { params, grads, x, y, dy, dx: Some(dx), cache, share });
            }),
            None => self.0.backward(Backward { params, grads, x, y, dy, dx: None, cache, share }),
        }
    }
}
