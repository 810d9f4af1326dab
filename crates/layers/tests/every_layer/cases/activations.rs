use chainrule_layers::{LeakyRelu, Relu, Sigmoid, Softmax, Tanh};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    vec![
        case("sigmoid", Sigmoid, [3, 7]),
        case("tanh", Tanh, [19]),
        case("relu", Relu, [2, 3, 4]),
        case("leaky relu", LeakyRelu::default(), [5]),
        case("leaky relu 0.3", LeakyRelu::new(0.3), [18]),
        case("softmax", Softmax, [6]),
    ]
}
