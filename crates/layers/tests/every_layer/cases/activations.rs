use chainrule_layer::{Layer, Sequential};
use chainrule_layers::activations as gates;
use chainrule_layers::*;
use chainrule_tensor::{Real, Shape};

use super::{Case, case};

/// A case whose inputs are far enough from 0 to reach all that there is.
fn wide<T: Real>(name: &'static str, layer: impl Layer<T>, input: impl Into<Shape>) -> Case<T> {
    case(name, layer, input).values(|_, v| 4.0 * v)
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let identity = Sequential::<T>::default().then(Identity).then(Tanh).then(Identity);
    vec![
        wide("celu", Celu::default(), [9]),
        wide("celu 0.7", Celu::new(0.7), [2, 5]),
        wide("elu", Elu::default(), [9]),
        wide("elu 1.5", Elu::new(1.5), [3, 3]),
        case("exponential", Exponential, [7]),
        wide("gelu", Gelu, [33]),
        wide("gelu tanh", GeluTanh, [3, 7]),
        case("glu", Glu::default(), [6]),
        case("glu of steps", Glu::default(), [3, 4]),
        case("glu of channels", Glu::default().axis(0), [4, 2, 3]),
        case("glu in the middle", Glu::default().axis(1), [2, 6, 3]),
        wide("swiglu", SwiGlu::default(), [2, 34]),
        wide("geglu", GeGlu::default(), [2, 6]),
        wide("geglu tanh", gates::Gated::new(GeluTanh), [10]),
        case("reglu", ReGlu::default(), [2]),
        case("bilinear glu", Gated::new(Identity), [4]),
        wide("hard shrink", HardShrink::default(), [9]),
        wide("hard shrink 1.3", HardShrink::new(1.3), [9]),
        wide("hard sigmoid", HardSigmoid, [17]),
        wide("hard swish", HardSwish, [17]),
        wide("hard tanh", HardTanh::default(), [9]),
        wide("hard tanh -0.5 2", HardTanh::new(-0.5, 2.0), [9]),
        case("identity", identity, [3]),
        case("leaky relu", LeakyRelu::default(), [5]),
        case("leaky relu 0.3", LeakyRelu::keras(), [18]),
        wide("log sigmoid", LogSigmoid, [9]),
        case("log softmax", LogSoftmax, [6]),
        wide("log softmax of steps", LogSoftmax, [2, 70]),
        case("maxout", Maxout::new(3), [6]),
        case("maxout of steps", Maxout::new(2), [3, 4]),
        case("maxout of channels", Maxout::new(2).axis(0), [4, 3, 2]),
        case("maxout 1", Maxout::new(1), [5]),
        wide("mish", Mish, [2, 9]),
        case("prelu", Prelu::new(), [7]),
        case("prelu of channels", Prelu::new().per_channel(0), [3, 2, 2]),
        case("prelu of features", Prelu::new().per_channel(1), [2, 3]),
        case("prelu of values", Prelu::keras(), [2, 3]),
        case("relu", Relu, [2, 3, 4]),
        wide("relu6", Relu6, [19]),
        case("relu squared", ReluSquared, [2, 9]),
        case("rrelu", Rrelu::default(), [35]),
        case("rrelu -1 1", Rrelu::new(-1.0, 1.0), [2, 3]),
        wide("selu", Selu, [9]),
        case("sigmoid", Sigmoid, [3, 7]),
        wide("silu", Silu, [2, 17]),
        wide("soft shrink", SoftShrink::default(), [9]),
        wide("soft shrink 0.9", SoftShrink::new(0.9), [9]),
        case("softmax", Softmax, [6]),
        wide("softmax of steps", Softmax, [3, 17]),
        wide("softmax of many", Softmax, [130]),
        case("softmax of one", Softmax, [4, 1]),
        case("softmin", Softmin, [2, 5]),
        case("softmax2d", Softmax2d, [3, 2, 5]),
        case("softmax2d of a signal", Softmax2d, [4, 1]),
        wide("softplus", Softplus::default(), [9]),
        wide("softplus 1.5 2", Softplus::new(1.5).threshold(2.0), [9]),
        wide("softsign", Softsign, [9]),
        wide("sparse plus", SparsePlus, [9]),
        wide("sparse sigmoid", SparseSigmoid, [9]),
        case("sparsemax", Sparsemax, [6]),
        wide("sparsemax of steps", Sparsemax, [3, 9]),
        case("sparsemax of even values", Sparsemax, [20]).values(|_, v| 0.05 * v),
        wide("squareplus", Squareplus::default(), [9]),
        wide("squareplus 0.3", Squareplus::new(0.3), [9]),
        wide("swish", Swish, [3]),
        wide("tanh", Tanh, [19]),
        wide("tanh shrink", TanhShrink, [9]),
        case("threshold", Threshold::new(0.1, -2.0), [9]),
        wide("thresholded relu", ThresholdedRelu::default(), [9]),
    ]
}
