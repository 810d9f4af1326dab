//! Graphs: what `plan` refuses, and what the passes compute.

use std::sync::Arc;

use chainrule_core::gradcheck::gradients;
use chainrule_core::{
    Backward, Branches, Forward, Frozen, Grads, Graph, Initializer, Lambda, Layer, Merge, MergeBackward,
    MergeForward, Mode, ParamSpec, Params, Plan, Residual, Sequential, ShapeError, SideBySide, ValueError,
};
use chainrule_tensor::{Seed, Shape, gemm};
use ndarray::{Array2, ArrayView2};

/// `y = x W`.
#[derive(Clone, Copy, Debug)]
struct Linear(usize);

#[derive(Debug)]
struct Normal;

impl Initializer for Normal {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let mut rng = seed.rng();
        values.fill_with(|| rng.normal());
    }
}

impl Layer<f64> for Linear {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let &[inputs] = &*input else {
            return Err(plan.error(input, "a vector", "flatten it"));
        };
        plan.weight("weight", [inputs, self.0], (1, 1), &(Arc::new(Normal) as _))?;
        Ok((Shape::from([self.0]), ()))
    }

    fn check(&self, x: ArrayView2<'_, f64>) -> Result<(), ValueError> {
        match x.indexed_iter().find(|(_, x)| x.is_nan()) {
            Some(((row, _), &found)) => Err(ValueError::new(self, "numbers", found, row)),
            None => Ok(()),
        }
    }

    fn forward(&self, Forward { mut params, x, y, .. }: Forward<'_, f64>) {
        gemm(1.0, x, params.take([x.ncols(), self.0]), 0.0, y);
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, .. }: Backward<'_, f64>) {
        let shape = [x.ncols(), self.0];
        gemm(1.0, x.t(), dy, 1.0, grads.take(shape));
        if let Some(dx) = dx {
            gemm(1.0, dy, params.take(shape).t(), 0.0, dx);
        }
    }
}

/// The values of a matrix as a vector.
#[derive(Debug)]
struct Flat;

impl Layer<f64> for Flat {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((Shape::from([input.size()]), ()))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, f64>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, f64>) {
        dx.into_iter().for_each(|mut dx| dx.assign(&dy));
    }

    fn is_identity(&self) -> bool {
        true
    }
}

/// `y = x + m`, with the mean input as a running statistic `m`, whose next value is `m / 2 + mean / 2`.
#[derive(Debug)]
struct Drift;

impl Layer<f64> for Drift {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        plan.buffer("mean", [1], 0.0)?;
        Ok((input, ()))
    }

    fn forward(&self, Forward { mut params, x, mut y, .. }: Forward<'_, f64>) {
        y.assign(&(&x + params.take([1])[0]));
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, share, .. }: Backward<'_, f64>) {
        grads.take([1])[0] += share * 0.5 * (params.take([1])[0] + x.mean().unwrap());
        dx.into_iter().for_each(|mut dx| dx.assign(&dy));
    }
}

#[derive(Clone, Copy, Debug)]
struct Sum;

impl Merge<f64> for Sum {
    type Cache = ();

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        match inputs {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok((*first, ())),
            _ => Err(plan.error(inputs[1], "inputs of one shape", "project one")),
        }
    }

    fn forward(&self, MergeForward { xs, mut y, .. }: MergeForward<'_, f64>) {
        y.fill(0.0);
        xs.iter().for_each(|x| y += x);
    }

    fn backward(&self, MergeBackward { dy, dxs, .. }: MergeBackward<'_, f64>) {
        dxs.iter_mut().flatten().for_each(|dx| dx.assign(&dy));
    }
}

fn error(layer: &impl Layer<f64>, input: impl Into<Shape>) -> String {
    layer.plan(input.into(), &mut Plan::new()).map(|_| ()).unwrap_err().to_string()
}

fn graph() -> Graph<f64> {
    Graph::default()
}

#[track_caller]
fn refuses(graph: Graph<f64>, input: impl Into<Shape>, said: &str) {
    let error = error(&graph, input);
    assert!(error.ends_with(said), "{error}");
}

#[test]
fn names_that_cannot_be() {
    let own = "expects inputs and nodes with unique names but got [2]: ";
    let one = || graph().layer("a", Linear(2), "input");
    refuses(
        one().layer("a", Linear(2), "a").outputs(["a"]),
        [2],
        &format!("{own}\"a\" is used twice; rename one of them"),
    );
    refuses(
        graph().layer("input", Linear(2), "input"),
        [2],
        &format!("{own}\"input\" is used twice; rename one of them"),
    );
    refuses(
        graph().input("x", [1]).input("x", [1]),
        [2],
        &format!("{own}\"x\" is used twice; rename one of them"),
    );
    let dots = "expects nodes whose names are not empty and have no dots but got [2]: rename ";
    refuses(graph().layer("a.b", Linear(2), "input"), [2], &format!("{dots}\"a.b\""));
    refuses(graph().layer("", Linear(2), "input"), [2], &format!("{dots}\"\""));
    let earlier = |node: &str, input: &str| {
        format!(
            "expects nodes applied to inputs or earlier nodes but got [2]: {node:?} is applied to {input:?}, which is no input or earlier node"
        )
    };
    refuses(one().layer("b", Linear(2), "z"), [2], &earlier("b", "z"));
    let forward = graph().layer("a", Linear(2), "b").layer("b", Linear(2), "input").outputs(["a"]);
    refuses(forward, [2], &earlier("a", "b"));
    refuses(graph().layer("a", Linear(2), "a"), [2], &earlier("a", "a"));
    refuses(
        one().outputs(["z"]),
        [2],
        "expects outputs that are inputs or nodes but got [2]: there is no \"z\"",
    );
}

#[test]
fn unused_nodes() {
    let said = |name| {
        format!(
            "expects inputs and nodes that are all used but got [2]: nothing uses {name:?}; make it an output, or remove it"
        )
    };
    let two = graph().layer("a", Linear(2), "input").layer("b", Linear(2), "input");
    refuses(two.clone().outputs(["b"]), [2], &said("a"));
    refuses(two.outputs(["a"]), [2], &said("b"));
    let inputs = graph().input("x", [1]).input("z", [1]).layer("a", Linear(2), "x");
    refuses(inputs.outputs(["a"]), [2], &said("z"));
    let none = "expects outputs but got [2]: name them with `outputs`";
    refuses(graph(), [2], none);
    refuses(graph().layer("a", Linear(2), "input"), [2], none);
}

#[test]
fn samples_of_another_shape() {
    let one = graph().input("x", [3]).layer("a", Linear(2), "x").outputs(["a"]);
    let said = "expects its input \"x\" of shape [3] but got [2]: reshape the samples, or name the input with their shape";
    refuses(one, [2], said);
    let two = graph().input("x", [3]).input("z", [2, 2]).merge("a", Sum, ["x", "z"]).outputs(["a"]);
    let said = "expects a vector of the 7 values of its inputs but got ";
    let help = ": put Flatten before it, or change the shapes of the inputs";
    refuses(two.clone(), [6], &format!("{said}[6]{help}"));
    refuses(two, [7, 1], &format!("{said}[7, 1]{help}"));
    let huge = graph().input("x", [usize::MAX]).input("z", [2]);
    refuses(huge, [1], &format!("expects inputs whose values together can be counted but got [1]{help}"));
    let nine = (0..9).fold(graph(), |graph, index| graph.input(format!("x{index}"), [1]));
    refuses(
        nine,
        [9],
        "expects at most 8 inputs but got [9]: combine several into one input, and split it with layers",
    );
    let nine = graph().merge("a", Sum, vec!["input"; 9]).outputs(["a"]);
    refuses(nine, [2], "expects at most 8 inputs for \"a\" but got [2]: merge some of them first");
    let side = SideBySide::new(Sum, vec![[1]; 9]);
    assert!(error(&side, [9]).ends_with("expects at most 8 inputs but got [9]: merge some of them first"));
    let side = SideBySide::new(Sum, [[2], [2]]);
    let said = "expects a vector of the 4 values of its inputs but got [5]: put Flatten before it, or change the shapes of the inputs";
    assert!(error(&side, [5]).ends_with(said));
    let outputs = graph().input("x", [usize::MAX]).outputs(["x", "x"]);
    refuses(
        outputs,
        [usize::MAX],
        &format!(
            "expects outputs whose values together can be counted but got [{}]: name fewer outputs",
            usize::MAX
        ),
    );
}

#[test]
fn sharing_that_cannot_be() {
    let one = || graph().layer("a", Linear(2), "input");
    let said = |of| {
        format!(
            "expects nodes that share the layers of earlier nodes but got [3]: \"b\" shares {of:?}, which is no earlier node with a layer of its own"
        )
    };
    refuses(one().shared("b", "z", ["a"]), [3], &said("z"));
    refuses(one().shared("b", "input", ["a"]), [3], &said("input"));
    refuses(one().shared("b", "b", ["a"]), [3], &said("b"));
    refuses(one().shared("b", "c", ["a"]).layer("c", Linear(1), "b"), [3], &said("c"));
    let twice = one().shared("c", "a", ["input"]).shared("b", "c", ["input"]);
    refuses(twice, [3], &said("c"));
    let other = "expects nodes that share a layer to have inputs of the same shape but got [3]: \"b\" would have parameters other than those of \"a\"";
    refuses(one().shared("b", "a", ["a"]), [3], other);
    let several = one().shared("b", "a", ["input", "input"]);
    refuses(
        several,
        [3],
        "expects one input for \"b\", which is a layer, but got [3]: merge several inputs first",
    );
}

#[test]
fn errors_inside_a_node_have_its_path() {
    let inner = graph().layer("node", Linear(2), "input").outputs(["node"]);
    assert!(error(&inner, [2, 3]).starts_with("layer node, Linear(2), expects a vector but got [2, 3]"));
    let outer = graph().layer("outer", inner, "input").outputs(["outer"]);
    assert!(error(&outer, [2, 3]).starts_with("layer outer.node, Linear(2), expects a vector"));
    let merge = graph().layer("a", Linear(3), "input").merge("sum", Sum, ["input", "a"]).outputs(["sum"]);
    let said = "layer sum, Sum, expects inputs of one shape but got [3]: project one";
    assert_eq!(error(&merge, [2]), said);
    let branches = Branches::new(Sum).branch(Linear(2)).branch(Linear(3));
    assert_eq!(error(&branches, [2]), said.replace("layer sum", "layer merge"));
    let deep = Sequential::default().then(Linear(2)).then(outer);
    let mut plan = Plan::new();
    deep.plan([4].into(), &mut plan).unwrap();
    let names: Vec<_> = plan.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["0.weight", "1.outer.node.weight"]);
}

/// The output of a layer with its first parameters, and the gradients of these and of the input.
fn passes<L: Layer<f64>>(layer: &L, x: &Array2<f64>, with_dx: bool) -> (Array2<f64>, Vec<f64>, Array2<f64>) {
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan([x.ncols()].into(), &mut plan).unwrap();
    let mut params = vec![0.0; plan.size()];
    let mut grads = vec![0.0; plan.size()];
    plan.init(Seed(3), &mut params);
    let mut y = Array2::from_elem((x.nrows(), output.size()), f64::NAN);
    let mut dx = Array2::from_elem(x.dim(), f64::NAN);
    // Twice: what the first pass left in the cache does not matter.
    for _ in 0..2 {
        grads.fill(0.0);
        let mode = Mode::Train { seed: Seed(1), first_row: 0 };
        let params = &params[..];
        let cache = &mut cache;
        layer.forward(Forward { params: Params::new(params), x: x.view(), y: y.view_mut(), cache, mode });
        let dy = y.mapv(|y| (3.0 * y).sin());
        layer.backward(Backward {
            params: Params::new(params),
            grads: Grads::new(&mut grads),
            x: x.view(),
            y: y.view(),
            dy: dy.view(),
            dx: with_dx.then(|| dx.view_mut()),
            cache,
            share: 1.0,
        });
    }
    (y, grads, dx)
}

fn samples(columns: usize) -> Array2<f64> {
    let mut rng = Seed(8).rng();
    Array2::from_shape_simple_fn((5, columns), || rng.normal())
}

fn square() -> impl Layer<f64> + Clone {
    Lambda::new("square", |z: f64| z * z, |z, _| 2.0 * z)
}

#[test]
fn a_sequence_as_a_graph_returns_the_same_bits() {
    let chain = Sequential::default().then(Linear(4)).then(square()).then(Linear(3)).then(Linear(2));
    let graph = graph()
        .layer("a", Linear(4), "input")
        .layer("b", square(), "a")
        .layer("c", Linear(3), "b")
        .layer("d", Linear(2), "c")
        .outputs(["d"]);
    let x = samples(3);
    assert_eq!(passes(&chain, &x, true), passes(&graph, &x, true));
    // Without dx the gradients of the parameters are the same.
    let (y, grads, dx) = passes(&graph, &x, false);
    assert_eq!((y, grads), {
        let (y, grads, _) = passes(&chain, &x, true);
        (y, grads)
    });
    assert!(dx.iter().all(|dx| dx.is_nan()));
}

#[test]
fn what_needs_no_gradient_gets_none() {
    // An input that is an output too, and nodes before the first parameters.
    let graph = graph()
        .layer("a", square(), "input")
        .layer("b", Linear(2), "a")
        .merge("sum", Sum, ["b", "a"])
        .outputs(["sum", "input", "a"]);
    let x = samples(2);
    let (y, grads, _) = passes(&graph, &x, true);
    let (same, also, dx) = passes(&graph, &x, false);
    assert_eq!((y, grads), (same, also));
    assert!(dx.iter().all(|dx| dx.is_nan()));
    gradients(&graph, [2]).unwrap();
    let batch = Array2::zeros((0, 2));
    assert_eq!(passes(&graph, &batch, true).0.dim(), (0, 6));
}

#[test]
fn gradients_of_an_input_used_in_many_places() {
    let graph = graph()
        .input("x", [2])
        .input("z", [3])
        .layer("a", Linear(2), "x")
        .shared("b", "a", ["a"])
        .merge("c", Sum, ["x", "a", "x", "b"])
        .layer("d", Linear(2), "z")
        .merge("e", Sum, ["d", "c", "c"])
        .outputs(["e", "x", "c", "c"]);
    gradients(&graph, [5]).unwrap();
}

#[test]
fn shared_statistics_go_to_the_mean_of_the_uses() {
    let two = |graph: Graph<f64>| {
        graph
            .input("x", [1])
            .input("z", [1])
            .layer("a", Drift, "x")
            .shared("b", "a", ["z"])
            .outputs(["a", "b"])
    };
    let x = ndarray::array![[1.0, 5.0], [3.0, 7.0]];
    // The means are 2 and 6, and half of each is added to the next value.
    assert_eq!(passes(&two(graph()), &x, true).1, [0.5 * (1.0 + 3.0)]);
}

#[test]
fn checks_reach_what_reads_an_input() {
    let checks = |graph: &Graph<f64>, x: [f64; 2]| graph.check(ArrayView2::from_shape((1, 2), &x).unwrap());
    let two = graph()
        .input("x", [1])
        .input("z", [1])
        .layer("flat", Flat, "z")
        .layer("square", square(), "x")
        .layer("a", Linear(1), "flat")
        .layer("b", Linear(1), "square")
        .merge("sum", Sum, ["a", "b"])
        .outputs(["sum"]);
    let error = checks(&two, [0.0, f64::NAN]).unwrap_err().to_string();
    assert_eq!(error, "Linear(1) expects numbers, but row 0 of the batch has NaN: check the data");
    assert_eq!(checks(&two, [f64::NAN, 0.0]), Ok(()));
    let shared = graph()
        .input("x", [1])
        .input("z", [1])
        .layer("a", Linear(1), "x")
        .shared("b", "a", ["z"])
        .outputs(["a", "b"]);
    assert!(checks(&shared, [f64::NAN, 0.0]).is_err());
    assert!(checks(&shared, [0.0, f64::NAN]).is_err());
    assert_eq!(checks(&shared, [0.0, 0.0]), Ok(()));
    let branches = Branches::new(Sum).branch(square()).branch(Linear(1));
    assert!(branches.check(ndarray::array![[f64::NAN]].view()).is_err());
}

#[test]
fn a_projection_next_to_a_branch() {
    let branch = Sequential::default().then(Linear(3)).then(square());
    assert!(error(&Residual(branch.clone()), [2]).contains("samples whose shape its inner layer keeps"));
    gradients(&Branches::new(Sum).branch(branch).branch(Linear(3)), [2]).unwrap();
}

#[test]
fn frozen_parameters_have_no_gradient() {
    let x = samples(3);
    let chain = Sequential::default().then(Linear(2)).then(Frozen(Linear(2))).then(Linear(2));
    let (y, grads, dx) = passes(&chain, &x, true);
    let (same, all, right) =
        passes(&Sequential::default().then(Linear(2)).then(Linear(2)).then(Linear(2)), &x, true);
    assert_eq!((y, dx), (same, right));
    assert_eq!((&grads[..6], &grads[6..10], &grads[10..]), (&all[..6], &[0.0; 4][..], &all[10..]));
    // A graph does not compute gradients that lead only to frozen parameters.
    let graph = graph()
        .layer("a", Frozen(Linear(2)), "input")
        .layer("b", Frozen(Linear(2)), "a")
        .layer("c", Linear(2), "b")
        .outputs(["c"]);
    let (_, grads, _) = passes(&graph, &x, false);
    assert_eq!(grads[..10], [0.0; 10]);
    assert!(grads[10..].iter().all(|grad| *grad != 0.0));
    gradients(&graph, [3]).unwrap();
}

#[test]
fn a_wrong_derivative_is_found() {
    gradients(&square(), [4]).unwrap();
    let wrong = Lambda::new("square", |z: f64| z * z, |z, _| 2.001 * z);
    assert_eq!(format!("{wrong:?}"), "Lambda(square)");
    let error = gradients(&wrong, [4]).unwrap_err().to_string();
    assert!(error.starts_with("the gradient of x["), "{error}");
}
