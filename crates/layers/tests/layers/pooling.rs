//! Poolings with extreme settings, shapes and numbers.

use chainrule_core::{Forward, Layer, Merge, Mode, Params, Plan};
use chainrule_layers::{
    AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, GlobalAvgPool, LpPool1d, MaxPool1d, MaxPool2d, MaxUnpool2d,
};
use chainrule_tensor::Shape;
use ndarray::{Array2, array};

fn run(layer: &impl Layer<f64>, input: impl Into<Shape>, x: Array2<f64>) -> Array2<f64> {
    let (output, mut cache) = layer.plan(input.into(), &mut Plan::new()).unwrap();
    let mut y = Array2::from_elem((x.nrows(), output.size()), f64::NAN);
    let (params, cache) = (Params::new(&[]), &mut cache);
    layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode: Mode::Eval });
    y
}

#[test]
fn nan_and_infinity_pass_through_a_maximum() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let x = array![[1.0, nan, 3.0, -inf, -inf, 2.0, 0.0, -inf]];
    for y in [
        run(&MaxPool2d::new(2), [1, 2, 4], x.clone()),
        run(&MaxPool2d::new(2).dilation([1, 1]).ceil(), [1, 2, 4], x.clone()),
    ] {
        assert!(y[[0, 0]].is_nan());
        assert_eq!(y[[0, 1]], 3.0);
    }
    assert_eq!(run(&MaxPool1d::new(2), [1, 2], array![[-inf, -inf]]), array![[-inf]]);
}

#[test]
fn a_maximum_ignores_padding() {
    assert_eq!(run(&MaxPool1d::new(2).padding(1), [1, 2], array![[-3.0, -4.0]]), array![[-3.0, -4.0]]);
}

#[test]
fn a_window_of_any_size_is_planned_at_once() {
    let wide = AvgPool1d::new(1 << 40).stride(1).padding(1 << 39).exclude_padding();
    assert_eq!(run(&wide, [1, 2], array![[1.0, 3.0]]), array![[2.0, 2.0, 2.0]]);
    let apart = MaxPool1d::new(2).dilation(3).padding(2);
    assert_eq!(run(&apart, [1, 2], array![[1.0, 3.0]]), array![[3.0, 1.0]]);
}

#[test]
fn errors_say_what_is_wrong() {
    macro_rules! message {
        ($layer:expr, $input:expr) => {
            Layer::<f32>::plan(&$layer, $input.into(), &mut Plan::new()).unwrap_err().to_string()
        };
    }
    assert!(message!(MaxPool2d::new(2), [28, 28]).contains("[channels, height, width]"));
    assert!(message!(MaxPool2d::new(3), [1, 2, 2]).contains("smaller kernel"));
    assert!(message!(MaxPool2d::new(0), [1, 2, 2]).contains("at least 1"));
    assert!(message!(MaxPool2d::new(2).stride(0), [1, 2, 2]).contains("at least 1"));
    assert!(message!(MaxPool2d::new(2).dilation(0), [1, 2, 2]).contains("at least 1"));
    assert!(message!(AvgPool2d::new(2).padding(2), [1, 2, 2]).contains("half the window"));
    assert!(message!(AvgPool2d::new(2).dilation(usize::MAX), [1, 2, 2]).contains("smaller kernel"));
    assert!(message!(AvgPool2d::new(usize::MAX), [1, 2, 2]).contains("smaller kernel"));
    // A padded window without any input, and sizes that overflow.
    assert!(message!(MaxPool1d::new(2).dilation(4).padding(2), [1, 1]).contains("every window"));
    assert!(message!(MaxPool1d::new(2), [2, 1 << 40]).contains("2³²"));
    assert!(message!(AdaptiveAvgPool2d::new(1 << 40), [1, 4, 4]).contains("another output"));
    assert!(message!(AdaptiveAvgPool2d::new(usize::MAX), [1, 4, 4]).contains("another output"));
    assert!(message!(LpPool1d::new(0.5, 2), [1, 4]).contains("at least 1"));
    assert!(message!(LpPool1d::new(f64::NAN, 2), [1, 4]).contains("at least 1"));
    assert!(message!(AdaptiveAvgPool2d::new(0), [1, 4, 4]).contains("at least 1"));
    assert!(message!(AdaptiveAvgPool2d::new(2), [4, 4]).contains("2 more axes"));
    assert!(message!(GlobalAvgPool::new(), [4]).contains("one to three more axes"));
    let unpool = MaxUnpool2d::new(MaxPool2d::new(2));
    let merge =
        |inputs: &[Shape]| Merge::<f32>::plan(&unpool, inputs, &mut Plan::new()).unwrap_err().to_string();
    assert!(merge(&[[1, 2, 2].into()]).contains("two inputs"));
    assert!(merge(&[[1, 2, 2].into(), [1, 6, 4].into()]).contains("values of shape [1, 3, 2]"));
}
