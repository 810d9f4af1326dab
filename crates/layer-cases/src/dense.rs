use chainrule_core::Sequential;
use chainrule_layers::{Dense, Softmax, Tanh, init};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let nested = Sequential::<T>::default().then(Dense::new(6)).then(Tanh).then(Dense::new(4)).then(Softmax);
    vec![
        case("dense", Dense::new(5), [4]),
        case("dense 1 1", Dense::keras(1), [1]),
        case("dense without bias", Dense::new(17).without_bias(), [33]),
        case("dense he", Dense::new(3).weight_init(init::HeNormal).bias_init(init::LecunUniform), [6]),
        case("dense nested", nested, [3]),
        case("dense sparse", Dense::new(5).sparse(), [4]),
        case("dense sparse without bias", Dense::keras(300).sparse().without_bias(), [70]),
    ]
}
