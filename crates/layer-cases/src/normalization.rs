use chainrule_core::Sequential;
use chainrule_layers::{
    BatchNorm, Dense, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm, SpectralNorm, Tanh,
    UnitNorm, WeightNorm,
};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    [batch(), rows(), groups(), weights()].into_iter().flatten().collect()
}

fn batch<T: Real>() -> Vec<Case<T>> {
    let tall = |name, layer: BatchNorm, input: &[usize]| {
        case(name, layer, chainrule_tensor::Shape::new(input).unwrap()).whole_batch()
    };
    vec![
        tall("batch norm", BatchNorm::new(), &[5]),
        tall("batch norm of one feature", BatchNorm::new(), &[1]),
        tall("batch norm of many features", BatchNorm::new().momentum(1.0), &[37]),
        tall("batch norm of images", BatchNorm::new(), &[3, 2, 3]),
        tall("batch norm of signals", BatchNorm::new().epsilon(0.1).momentum(0.3), &[2, 33]),
        tall("batch norm of one pixel", BatchNorm::new(), &[4, 1, 1]),
        tall("batch norm of steps", BatchNorm::new().channels_last(), &[4, 3]),
        tall("batch norm without affine", BatchNorm::new().without_affine().momentum(0.0), &[3, 4]),
        tall("batch norm keras", BatchNorm::keras(), &[2, 5]),
    ]
}

fn rows<T: Real>() -> Vec<Case<T>> {
    vec![
        case("layer norm", LayerNorm::new(), [7]),
        case("layer norm of two features", LayerNorm::new().epsilon(0.5), [3, 2]),
        case("layer norm of steps", LayerNorm::new(), [3, 19]),
        case("layer norm of long rows", LayerNorm::keras(), [83]),
        case("layer norm of two axes", LayerNorm::new().axes(2), [2, 3, 2]),
        case("layer norm of all axes", LayerNorm::new().all_axes().epsilon(0.5), [2, 2, 5]),
        case("layer norm without bias", LayerNorm::new().without_bias(), [2, 6]),
        case("layer norm without affine", LayerNorm::new().without_affine(), [2, 6]),
        case("rms norm", RmsNorm::new(), [9]),
        case("rms norm of one feature", RmsNorm::new().epsilon(1.0), [2, 1]),
        case("rms norm of steps", RmsNorm::keras(), [2, 35]),
        case("rms norm of all axes", RmsNorm::new().all_axes().epsilon(0.1), [2, 3]),
        case("rms norm of two axes without affine", RmsNorm::new().axes(2).without_affine(), [2, 2, 3]),
        case("unit norm", UnitNorm::new(), [6]),
        case("unit norm of steps", UnitNorm::new(), [3, 4]),
        case("unit norm of two axes", UnitNorm::new().axes(2), [2, 3, 4]),
        case("unit norm of all axes", UnitNorm::new().all_axes(), [5, 7]),
    ]
}

fn groups<T: Real>() -> Vec<Case<T>> {
    vec![
        case("group norm", GroupNorm::new(2), [4, 2, 3]),
        case("group norm of vectors", GroupNorm::new(2), [10]),
        case("group norm in one group", GroupNorm::keras(1), [3, 7]),
        case("group norm of volumes", GroupNorm::new(4).epsilon(0.1), [8, 2, 1, 2]),
        case("group norm of long channels", GroupNorm::new(2), [2, 41]),
        case("group norm without affine", GroupNorm::new(2).without_affine(), [6, 3]),
        case("instance norm", InstanceNorm::new(), [3, 2, 4]),
        case("instance norm affine", InstanceNorm::new().affine(), [3, 5]),
        case("instance norm of two pixels", InstanceNorm::new().affine().epsilon(0.1), [3, 2, 1]),
        case("local response norm", LocalResponseNorm::new(5).alpha(0.3), [7, 2, 2]),
        case("local response norm of two", LocalResponseNorm::new(2).alpha(1.0).beta(0.5).k(2.0), [4, 3]),
        case("local response norm of vectors", LocalResponseNorm::new(3).alpha(0.5), [6]),
        case("local response norm of too few", LocalResponseNorm::new(9).alpha(2.0), [3, 1, 5]),
        case("local response norm of one", LocalResponseNorm::new(1).alpha(0.7), [2, 3]),
    ]
}

fn weights<T: Real>() -> Vec<Case<T>> {
    let two = Sequential::<T>::default().then(Dense::new(5)).then(Tanh).then(Dense::new(2));
    // Its gradients take u and v as constants, which is right where the iteration has come to rest.
    let spectral = |layer| SpectralNorm::new(layer).iterations(200);
    vec![
        case("weight norm", WeightNorm::new(Dense::new(3)), [4]),
        case("weight norm of one", WeightNorm::new(Dense::new(1)), [1]),
        case("weight norm without bias", WeightNorm::new(Dense::new(18).without_bias()), [3]),
        case("weight norm by inputs", WeightNorm::new(Dense::new(4)).axis(0), [5]),
        case("weight norm of two layers", WeightNorm::new(two.clone()), [4]),
        case("weight norm twice", WeightNorm::new(WeightNorm::new(Dense::new(2))), [3]),
        case("spectral norm", spectral(Dense::new(3)), [4]),
        case("spectral norm by inputs", spectral(Dense::new(3).without_bias()).axis(0), [4]),
        case("spectral norm of two layers", SpectralNorm::new(two).iterations(200), [3]),
        case(
            "spectral norm of weight norm",
            SpectralNorm::new(WeightNorm::new(Dense::new(2))).iterations(200),
            [3],
        ),
    ]
}
