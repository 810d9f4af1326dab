use chainrule_core::{Branches, Frozen, Graph, Lambda, Merge, Residual, Sequential, SideBySide};
use chainrule_layers::{
    Add, Average, Bilinear, Concat, Conv2d, Dense, Dot, GlobalAvgPool, Identity, Maximum, Minimum, Multiply,
    Relu, Reshape, Sigmoid, SpectralNorm, Subtract, Tanh, WeightNorm,
};
use chainrule_tensor::{Real, Shape};

use super::{Case, case};

/// A merge of several inputs of one shape.
fn merge<T: Real>(name: &'static str, merge: impl Merge<T>, count: usize) -> Case<T> {
    case(name, SideBySide::new(merge, vec![[2, 3]; count]), [6 * count])
}

/// A merge of inputs that are repeated.
fn spread<T: Real>(name: &'static str, merge: impl Merge<T>, shapes: &[&[usize]]) -> Case<T> {
    let shapes: Vec<Shape> = shapes.iter().map(|axes| Shape::new(axes).unwrap()).collect();
    let size: usize = shapes.iter().map(Shape::size).sum();
    case(name, SideBySide::new(merge, shapes), [size])
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let squeeze = Sequential::<T>::default()
        .then(GlobalAvgPool::new())
        .then(Dense::new(2))
        .then(Relu)
        .then(Dense::new(3))
        .then(Sigmoid)
        .then(Reshape::new([3, 1, 1]));
    let excitation = Graph::default()
        .layer("image", Conv2d::new(3, 2), "input")
        .layer("factors", squeeze.clone(), "image")
        .merge("scaled", Multiply, ["image", "factors"])
        .outputs(["scaled"]);
    let dense = |units| Sequential::<T>::default().then(Dense::new(units)).then(Tanh);
    let two = [[5], [5]];
    let siamese = Graph::default()
        .input("a", [4])
        .input("b", [4])
        .layer("left", dense(5), "a")
        .shared("right", "left", ["b"])
        .merge("distance", Subtract, ["left", "right"])
        .layer("answer", Dense::new(2), "distance");
    let skips = Graph::default()
        .layer("down", dense(3), "input")
        .layer("deep", dense(3), "down")
        .merge("sum", Add, ["deep", "down", "down"])
        .merge("all", Concat::default(), ["sum", "input"])
        .layer("end", Dense::new(2), "all")
        .outputs(["end", "deep", "end"]);
    let outputs = siamese.clone().outputs(["answer", "left"]);
    let inner =
        Graph::default().layer("a", dense(4), "input").merge("b", Multiply, ["a", "input"]).outputs(["b"]);
    vec![
        merge("add", Add, 3),
        merge("add one", Add, 1),
        merge("subtract", Subtract, 2),
        merge("multiply", Multiply, 3),
        merge("average", Average, 3),
        merge("maximum", Maximum, 3),
        merge("minimum", Minimum, 2),
        spread("add channels", Add, &[&[2, 1, 1], &[2, 3, 2], &[2]]),
        spread("add of other axes", Add, &[&[2, 3], &[1, 1, 1], &[2, 1, 1]]),
        spread("add wide", Add, &[&[1, 40], &[3, 40], &[3, 1]]),
        spread("subtract a row", Subtract, &[&[2, 3], &[3]]),
        spread("subtract from a row", Subtract, &[&[1, 3], &[2, 3]]),
        spread("multiply channels", Multiply, &[&[3, 2, 2], &[3, 1, 1]]),
        spread("multiply channels first", Multiply, &[&[3, 1], &[3, 35]]),
        spread("multiply outer", Multiply, &[&[3, 1], &[1, 2]]),
        spread("multiply six axes", Multiply, &[&[2, 1, 2, 1, 2, 1], &[2, 2, 1, 2, 1, 3], &[2, 1, 1]]),
        spread("multiply six other axes", Multiply, &[&[1, 2, 1, 2, 1, 2], &[2, 1, 1, 2, 1, 1], &[1]]),
        spread("average of shapes", Average, &[&[2, 1], &[3], &[2, 3]]),
        spread("maximum of shapes", Maximum, &[&[2, 1, 1], &[2, 3], &[2, 2, 1]]),
        spread("minimum of shapes", Minimum, &[&[3], &[4, 1], &[1]]),
        case("concat", SideBySide::new(Concat::default(), [[2, 3], [1, 3]]), [9]),
        case("concat axis 1", SideBySide::new(Concat::axis(1), [[2, 3], [2, 1], [2, 2]]), [12]),
        case("dot", SideBySide::new(Dot::new(), two), [10]),
        case("dot cosine", SideBySide::new(Dot::new().cosine(), two), [10]),
        case("bilinear", SideBySide::new(Bilinear::new(3), [[4], [5]]), [9]),
        case("bilinear without bias", SideBySide::new(Bilinear::new(1).without_bias(), [[2], [1]]), [3]),
        case("graph siamese", siamese.clone().outputs(["answer"]), [8]),
        case("graph two outputs", outputs, [8]),
        case("graph skips", skips, [4]),
        case("graph nested", Sequential::default().then(inner).then(Dense::new(2)), [4]),
        case("graph identity", Graph::<T>::default().outputs(["input"]), [3]),
        case("branches", Branches::new(Add).branch(dense(3)).branch(Dense::new(3)), [4]),
        case("branches concat", Branches::new(Concat::default()).branch(Relu).branch(dense(2)), [4]),
        case("graph squeeze and excitation", excitation, [1, 4, 3]),
        case(
            "branches squeeze and excitation",
            Branches::new(Multiply).branch(squeeze).branch(Identity),
            [3, 2, 2],
        ),
        case("residual", Residual(dense(4)), [4]),
        case(
            "frozen",
            Sequential::default().then(Dense::new(3)).then(Frozen(dense(4))).then(Dense::new(2)),
            [4],
        ),
        case("frozen weight norm", Frozen(WeightNorm::new(Dense::new(3))), [4]),
        case("frozen spectral norm", Frozen(SpectralNorm::new(Dense::new(3))), [4]),
        case("frozen siamese", Frozen(siamese.clone().outputs(["answer"])), [8]),
    ]
}

/// Layers that are code, which no description holds.
pub(crate) fn code<T: Real>() -> Vec<Case<T>> {
    vec![case("lambda", Lambda::new("cube", |z: T| z * z * z, |z: T, _| T::of(3.0) * z * z), [7])]
}
