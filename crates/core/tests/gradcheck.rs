//! The gradient check takes what is right and catches each way of being wrong.

use std::sync::Arc;

use chainrule_core::gradcheck::{GradientError, gradients};
use chainrule_core::{Backward, Constant, Forward, Layer, Plan, Residual, Sequential, ShapeError};
use chainrule_tensor::Shape;

/// `y = w x²`, one weight for each column, with a fault of each kind.
#[derive(Clone, Copy, Debug)]
enum Square {
    Right,
    WrongInput,
    WrongWeight,
    OverwritesGrads,
    AddsToInput,
    LeavesParams,
    LeavesGrads,
    NeedsInput,
}

impl Layer<f64> for Square {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let &[features] = &*input else {
            return Err(plan.error(input, "one axis", "put Flatten before it"));
        };
        plan.weight("weight", [features], (1, 1), &(Arc::new(Constant(1.0)) as _))?;
        Ok((input, ()))
    }

    fn forward(&self, Forward { mut params, x, mut y, .. }: Forward<'_, f64>) {
        match self {
            Self::LeavesParams => y.assign(&(&x * &x)),
            _ => y.assign(&(&x * &x * params.take([x.ncols()]))),
        }
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, .. }: Backward<'_, f64>) {
        let w = params.take([x.ncols()]);
        if !matches!(self, Self::LeavesGrads) {
            let dw = (&dy * &x * x).sum_axis(ndarray::Axis(0));
            let mut grads = grads.take([x.ncols()]);
            match self {
                Self::OverwritesGrads => grads.assign(&dw),
                Self::WrongWeight => grads.scaled_add(1.001, &dw),
                Self::NeedsInput if dx.is_none() => {}
                _ => grads += &dw,
            }
        }
        if let Some(mut dx) = dx {
            let right = &dy * &x * w * 2.0;
            match self {
                Self::AddsToInput => dx += &right,
                Self::WrongInput => dx.assign(&(right * 0.5)),
                _ => dx.assign(&right),
            }
        }
    }
}

#[test]
fn takes_what_is_right() {
    let report = gradients(&Square::Right, [5]).unwrap();
    assert_eq!((report.parameters, report.inputs), (5, 15));
    assert!(report.worst < 1e-8, "{report:?}");
}

#[test]
fn catches_each_fault() {
    let fault = |square: Square| gradients(&square, [5]).unwrap_err();
    let wrong = |square, name: &str| match fault(square) {
        GradientError::Wrong { value, .. } => assert!(value.starts_with(name), "{square:?}: {value}"),
        other => panic!("{square:?}: {other}"),
    };
    wrong(Square::WrongInput, "x[0, 0]");
    wrong(Square::WrongWeight, "weight[0]");
    wrong(Square::AddsToInput, "x[");
    assert_eq!(fault(Square::OverwritesGrads), GradientError::NotAdded);
    assert_eq!(fault(Square::NeedsInput), GradientError::NotAdded);
    assert!(matches!(fault(Square::LeavesParams), GradientError::Leftover { pass: "forward", left: 5, .. }));
    assert!(matches!(fault(Square::LeavesGrads), GradientError::Leftover { pass: "backward", left: 5, .. }));
}

#[test]
fn nested_models() {
    let inner = || Sequential::default().then(Square::Right).then(Residual(Square::Right));
    gradients(&inner(), [3]).unwrap();
    gradients(&Sequential::default().then(Residual(inner())).then(Square::Right), [3]).unwrap();
    gradients(&Sequential::<f64>::default(), [3]).unwrap();
    let hidden = Sequential::default().then(Square::Right).then(Residual(Square::WrongWeight));
    let error = gradients(&hidden, [3]).unwrap_err().to_string();
    assert!(error.contains("1.residual.weight["), "{error}");
}

#[test]
fn shape_errors_name_the_layer() {
    let model = Sequential::default().then(Residual(Sequential::default().then(Square::Right)));
    let error = gradients(&model, [2, 3]).unwrap_err().to_string();
    let right = "layer 0.residual.0, Right, expects one axis but got [2, 3]: put Flatten before it";
    assert_eq!(error, right);
}
