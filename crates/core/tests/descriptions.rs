//! Containers as descriptions, and built from them.

use chainrule_core::{
    AnyLayer, AnyMerge, Backward, Branches, Described, Forward, Frozen, Graph, Lambda, Layer, Merge,
    MergeBackward, MergeForward, New, Plan, Range, Registry, Residual, Sequential, ShapeError, SideBySide,
    describe, described, register, register_containers,
};
use chainrule_tensor::Shape;

#[derive(Clone, Debug)]
struct Times {
    factor: f64,
}

describe! {
    /// The input times a factor.
    Times = "times";
    settings {
        /// The factor.
        factor: 2.0, Range::FINITE;
    }
}

impl Layer<f64> for Times {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, f64>) {
        y.assign(&x);
        y *= self.factor;
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, f64>) {
        let Some(mut dx) = dx else { return };
        dx.assign(&dy);
        dx *= self.factor;
    }

    described!();
}

#[derive(Clone, Debug)]
struct Sum {}

describe! {
    /// The sum.
    Sum = "sum";
}

impl Merge<f64> for Sum {
    type Cache = ();

    fn plan(&self, inputs: &[Shape], _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((inputs[0], ()))
    }

    fn forward(&self, mut pass: MergeForward<'_, f64>) {
        pass.y.fill(0.0);
        pass.xs.iter().for_each(|x| pass.y += x);
    }

    fn backward(&self, pass: MergeBackward<'_, f64>) {
        pass.dxs.iter_mut().flatten().for_each(|dx| dx.assign(&pass.dy));
    }

    described!();
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    register_containers::<f64>(&mut registry);
    register!(registry, AnyLayer<f64>, AnyLayer::new; Times);
    register!(registry, AnyMerge<f64>, AnyMerge::new; Sum);
    registry
}

fn times(factor: f64) -> Times {
    Times { factor }
}

/// Every container, some of them in others.
fn containers() -> Vec<(Sequential<f64>, &'static str)> {
    let two = || Sequential::<f64>::new().then(times(1.5)).then(times(2.0));
    let graph = Graph::<f64>::new()
        .input("a", [2])
        .input("b", [2])
        .layer("first", two(), "a")
        .shared("second", "first", ["b"])
        .merge("both one", Sum {}, ["first", "second"])
        .outputs(["both one", "a"]);
    let branches = Branches::new(Sum {}).branch(times(3.0)).branch(two());
    let one = |layer: AnyLayer<f64>| Sequential::<f64>::new().then(layer);
    vec![
        (two(), "sequential(layers=[times(factor=1.5), times(factor=2.0)])"),
        (one(AnyLayer::new(Residual(times(2.0)))), "sequential(layers=[residual(layer=times(factor=2.0))])"),
        (one(AnyLayer::new(Frozen(Residual(two())))), ""),
        (one(AnyLayer::new(SideBySide::new(Sum {}, [[2], [2]]))), ""),
        (
            one(AnyLayer::new(branches)),
            "sequential(layers=[branches(merge=sum, branches=[times(factor=3.0), sequential(layers=[times(factor=1.5), times(factor=2.0)])])])",
        ),
        (
            one(AnyLayer::new(graph)),
            "sequential(layers=[graph(inputs=[input(id=a, shape=[2]), input(id=b, shape=[2])], nodes=[layer(id=first, layer=sequential(layers=[times(factor=1.5), times(factor=2.0)]), input=a), shared(id=second, of=first, inputs=[b]), merge(id=\"both one\", merge=sum, inputs=[first, second])], outputs=[\"both one\", a])])",
        ),
    ]
}

fn output(layers: &Sequential<f64>) -> (Vec<f64>, Vec<String>) {
    let mut plan = Plan::new();
    let (shape, mut cache) = layers.plan([4].into(), &mut plan).unwrap();
    let x = ndarray::array![[1.0, 2.0, 3.0, 4.0]];
    let mut y = ndarray::Array2::zeros((1, shape.size()));
    let mode = chainrule_core::Mode::Eval;
    let params = chainrule_core::Params::new(&[]);
    layers.forward(Forward { params, x: x.view(), y: y.view_mut(), cache: &mut cache, mode });
    let paths = plan.layers().iter().map(|layer| format!("{} {}", layer.path, layer.layer)).collect();
    (y.into_raw_vec_and_offset().0, paths)
}

#[test]
fn what_is_described_is_built() {
    let registry = registry();
    for (layers, text) in containers() {
        let description = layers.describe();
        let written = description.to_string();
        assert!(text.is_empty() || written == text, "{written}");
        for description in [written.parse().unwrap(), description] {
            let built = Sequential::<f64>::from_description(&description, &registry).unwrap();
            assert_eq!(built.describe(), layers.describe());
            assert_eq!(format!("{built:?}"), format!("{layers:?}"));
            assert_eq!(output(&built), output(&layers));
        }
    }
}

#[test]
fn short_forms() {
    let registry = registry();
    for (short, long) in [
        ("times then times(3)", "sequential([times, times(3)])"),
        ("times", "sequential([times(2)])"),
        ("residual(times then times)", "sequential([residual(sequential([times, times]))])"),
        ("graph(nodes=[layer(a, times, input), Merge(b, sum, [a, input])], outputs=[b])", ""),
    ] {
        let build = |text: &str| Sequential::<f64>::from_description(&text.parse().unwrap(), &registry);
        let built = build(short).unwrap().describe();
        assert!(long.is_empty() || built == build(long).unwrap().describe(), "{built}");
    }
}

#[test]
fn what_cannot_be_built() {
    let registry = registry();
    let lambda = Sequential::<f64>::new().then(Lambda::new("square", |z: f64| z * z, |z, _| 2.0 * z));
    let lambda = lambda.describe().to_string();
    assert_eq!(lambda, "sequential(layers=[lambda(function=square)])");
    for (text, error) in [
        (
            &*lambda,
            "sequential.layers[0].lambda named `square` contains code, which no text holds: build the layers in the program, or register a type of your own instead",
        ),
        ("residual", "residual needs the setting `layer`: The layer, which keeps the shape of its samples."),
        ("residual(tims)", "there is no layer named `tims`; the nearest name is `times`"),
        ("residual(times(inf))", "residual.layer.times.factor is inf, but must be a finite number"),
        ("branches(times, [times])", "there is no merge named `times`; the nearest name is `sum`"),
        ("side_by_side(sum, [[1, 2], 3])", "side_by_side.inputs[1] is 3, but must be a list, such as [1, 2]"),
        (
            "side_by_side(sum, [[1, 1, 1, 1, 1, 1, 1]])",
            "side_by_side.inputs[0] is [1, 1, 1, 1, 1, 1, 1], but must be a list of at most 6 axes, whose values together can be counted",
        ),
        (
            "graph(nodes=[times], outputs=[a])",
            "graph.nodes[0] is times, but must be a node: layer(...), merge(...) or shared(...)",
        ),
        (
            "graph(nodes=[layer(a, times)], outputs=[a])",
            "graph.nodes[0].layer needs the setting `input`: The input or earlier node that it is applied to.",
        ),
        (
            "graph(inputs=[a], nodes=[], outputs=[a])",
            "graph.inputs[0] is a, but must be input with its settings",
        ),
    ] {
        let description = text.parse().unwrap();
        let found =
            Sequential::<f64>::from_description(&description, &registry).map(|layers| layers.describe());
        let Err(found) = found else { panic!("{text} was built: {found:?}") };
        let found = found.to_string();
        assert_eq!(found, error, "{text}");
    }
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let registry = registry();
    let nested = |depth: usize| {
        let inside = (0..depth).fold(AnyLayer::new(times(1.0)), |layer, _| AnyLayer::new(Residual(layer)));
        Sequential::<f64>::from_description(&Layer::<f64>::description(&inside), &registry)
    };
    assert!(nested(60).is_ok());
    assert!(nested(100).is_err());
}
