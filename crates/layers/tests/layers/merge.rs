//! What merges refuse, and their edges.

use chainrule_core::{Backward, Branches, Forward, Grads, Layer, Merge, Mode, Params, Plan, SideBySide};
use chainrule_layers::{Add, Average, Bilinear, Concat, Dense, Dot, Maximum, Minimum, Multiply, Subtract};
use chainrule_tensor::Shape;
use ndarray::{Array2, ArrayView2, array, s};

#[track_caller]
fn refuses(merge: impl Merge<f64>, shapes: &[Shape], said: &str) {
    let error = Plan::new().inner_merge("merge", &merge, shapes).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with(said), "{error}");
}

/// The output of a merge without parameters for these inputs, each a vector.
fn joined<J: Merge<f64>>(merge: J, sizes: &[usize], x: &Array2<f64>) -> Array2<f64> {
    let layer = SideBySide::new(merge, sizes.iter().copied());
    let (output, mut cache) = layer.plan([x.ncols()].into(), &mut Plan::new()).unwrap();
    let mut y = Array2::from_elem((x.nrows(), output.size()), f64::NAN);
    let params = Params::new(&[]);
    let x = x.view();
    let cache = &mut cache;
    layer.forward(Forward { params, x, y: y.view_mut(), cache, mode: Mode::Eval });
    y
}

#[test]
fn inputs_that_are_not_alike() {
    let [a, b] = [Shape::from([2, 3]), Shape::from([3, 2])];
    let said = "expects inputs whose axes, from the last to the first, have the lengths of [2, 3] or 1, but got [3, 2]: \
                reshape or project one of them";
    refuses(Add, &[a, a, b], said);
    refuses(Add, &[[1, 1].into(), a, [2, 1].into(), b], said);
    refuses(Subtract, &[a, b], said);
    refuses(Multiply, &[a, b], said);
    refuses(Average, &[a, b], said);
    refuses(Maximum, &[a, b], said);
    refuses(Minimum, &[a, b], said);
    refuses(Add, &[], "expects at least one input but got [0]: the number of inputs is 0");
    refuses(Subtract, &[a], "expects 2 inputs but got [2, 3]: the number of inputs is 1");
    refuses(Subtract, &[a, a, a], "expects 2 inputs but got [2, 3]: the number of inputs is 3");
}

#[test]
fn inputs_that_cannot_be_concatenated() {
    let shape = Shape::from([2, 3]);
    let choose = "choose an axis that all inputs have, counted from 0";
    refuses(
        Concat::axis(2),
        &[shape],
        &format!("expects at least one input, with an axis 2 but got [2, 3]: {choose}"),
    );
    refuses(
        Concat::default(),
        &[],
        &format!("expects at least one input, with an axis 0 but got [0]: {choose}"),
    );
    let said = "reshape one of them, or choose another axis";
    refuses(Concat::default(), &[shape, [2, 4].into()], said);
    refuses(Concat::axis(1), &[shape, [3, 3].into()], said);
    refuses(Concat::default(), &[shape, [3].into()], said);
    let huge = Shape::from([usize::MAX / 2 - 1, 2]);
    refuses(
        Concat::default(),
        &[huge, huge],
        "expects inputs whose concatenation fits in memory but got [9223372036854775806, 2]: concatenate fewer or smaller inputs",
    );
    let long = Shape::from([usize::MAX]);
    refuses(
        Concat::default(),
        &[long, long],
        "expects inputs whose concatenation fits in memory but got [18446744073709551615]: concatenate fewer or smaller inputs",
    );
}

#[test]
fn inputs_that_cannot_be_multiplied() {
    let dot = "expects two vectors of one length but got [4]: flatten or project one of them";
    refuses(Dot::new(), &[[3].into(), [4].into()], dot);
    refuses(Dot::new(), &[[4].into()], dot);
    refuses(Dot::new(), &[[4].into(); 3], dot);
    refuses(Dot::new(), &[[2, 2].into(); 2], &dot.replace("[4]", "[2, 2]"));
    let bilinear = "expects two vectors but got [4]: put Flatten before it";
    refuses(Bilinear::new(2), &[[4].into()], bilinear);
    refuses(
        Bilinear::new(0),
        &[[4].into(), [3].into()],
        "needs a number of units of at least 1: with 0 nothing would be left; choose another",
    );
    refuses(Bilinear::new(2), &[[3].into(), [2, 2].into()], &bilinear.replace("[4]", "[2, 2]"));
    refuses(Bilinear::new(usize::MAX), &[[4].into(), [3].into()], "use smaller samples or fewer units");
}

#[test]
fn the_error_of_a_merge_names_it() {
    let layer = Branches::new(Add).branch(Dense::new(2)).branch(Dense::new(3));
    let error = Layer::<f32>::plan(&layer, [4].into(), &mut Plan::new()).map(|_| ()).unwrap_err().to_string();
    let said = "layer merge, Add, expects inputs whose axes, from the last to the first, have the lengths of [2] or 1, but got \
                [3]: reshape or project one of them";
    assert_eq!(error, said);
}

#[test]
fn factors_of_channels_are_to_be_reshaped() {
    let image = Shape::from([8, 5, 6]);
    let channels = Shape::from([8]);
    let said = "Reshape the input of shape [8] to [8, 1, 1] to broadcast it to [8, 5, 6]";
    refuses(Multiply, &[image, channels], said);
    refuses(Multiply, &[channels, image], said);
    refuses(Multiply, &[image, [7].into()], "reshape or project one of them");
}

#[test]
fn outputs_that_overflow() {
    let shapes = [Shape::from([1 << 40, 1]), [1, 1 << 40].into()];
    let said = "expects inputs whose output fits in memory but got [1099511627776, 1]: \
                choose shorter axes";
    refuses(Add, &shapes, said);
    refuses(Maximum, &shapes, said);
}

/// For each index of the product of two inputs, the indices of its factors; `None` if the inputs do not broadcast.
fn factors(a: &[usize], b: &[usize]) -> Option<(Vec<usize>, Vec<[usize; 2]>)> {
    let rank = a.len().max(b.len());
    // Axis `axis` of the output, counted from the first.
    let of =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    let mut output = Vec::new();
    for axis in 0..rank {
        output.push(match (of(a, axis), of(b, axis)) {
            (a, b) if a == b => a,
            (1, b) => b,
            (a, 1) => a,
            _ => return None,
        });
    }
    let factor = |shape: &[usize], index: &ndarray::IxDyn| {
        (0..rank).fold(0, |at, axis| match of(shape, axis) {
            1 => at,
            length => at * length + index[axis],
        })
    };
    let indices =
        ndarray::indices(output.clone()).into_iter().map(|index| [factor(a, &index), factor(b, &index)]);
    Some((output, indices.collect()))
}

/// Every shape of up to three axes of up to three values.
fn small_shapes() -> Vec<Vec<usize>> {
    let mut shapes = vec![vec![]];
    for start in [0, 1, 5] {
        let longer =
            |shape: &Vec<usize>| (0..4).map(|length| [&shape[..], &[length]].concat()).collect::<Vec<_>>();
        let next: Vec<_> = shapes[start..].iter().flat_map(longer).collect();
        shapes.extend(next);
    }
    shapes
}

#[test]
fn all_shapes_that_broadcast() {
    let shapes = small_shapes();
    assert_eq!(shapes.len(), 1 + 4 + 16 + 64);
    let mut pairs: Vec<_> =
        shapes.iter().flat_map(|a| shapes.iter().map(|b| (a.clone(), b.clone()))).collect();
    pairs.push((vec![2, 1, 3, 1, 2, 1], vec![1, 3, 1, 2, 1, 2]));
    pairs.push((vec![2, 1, 3, 1, 2, 1], vec![2, 2, 3, 2, 2, 2]));
    pairs.push((vec![2, 3, 2, 3, 2], vec![3, 1, 3, 1]));
    pairs.push((vec![40, 1, 17], vec![40, 33, 17]));
    let mut broadcast = 0;
    for (a, b) in &pairs {
        let inputs = [Shape::new(a).unwrap(), Shape::new(b).unwrap()];
        let sizes = inputs.map(|input| input.size());
        let layer = SideBySide::new(Multiply, inputs);
        let planned = Layer::<f64>::plan(&layer, [sizes[0] + sizes[1]].into(), &mut Plan::new());
        let Some((output, indices)) = factors(a, b) else {
            assert!(planned.is_err(), "{a:?} {b:?}");
            continue;
        };
        let (found, mut cache) = planned.unwrap();
        assert_eq!(&*found, output, "{a:?} {b:?}");
        broadcast += 1;
        let values =
            |columns, step| Array2::from_shape_fn((2, columns), |(r, c)| ((r * 7 + c * step) % 11) as f64);
        let (x, dy) = (values(sizes[0] + sizes[1], 3), values(indices.len(), 5));
        let (mut right, mut right_dx) = (Array2::zeros(dy.dim()), Array2::zeros(x.dim()));
        for row in 0..2 {
            for (index, &[a, b]) in indices.iter().enumerate() {
                let b = sizes[0] + b;
                right[[row, index]] = x[[row, a]] * x[[row, b]];
                right_dx[[row, a]] += dy[[row, index]] * x[[row, b]];
                right_dx[[row, b]] += dy[[row, index]] * x[[row, a]];
            }
        }
        let (mut y, mut dx) = (dy.mapv(|_| f64::NAN), x.mapv(|_| f64::NAN));
        // As they are, and with columns that are not side by side.
        let wide = Array2::from_shape_fn((2, 2 * x.ncols()), |(row, column)| x[[row, column / 2]]);
        for x in [x.view(), wide.slice(s![.., ..;2])] {
            let cache = &mut cache;
            layer.forward(Forward { params: Params::new(&[]), x, y: y.view_mut(), cache, mode: Mode::Eval });
            assert_eq!(y, right, "{a:?} {b:?}");
            let (params, grads, dx_view) = (Params::new(&[]), Grads::new(&mut []), Some(dx.view_mut()));
            let (y, dy): (ArrayView2<'_, f64>, _) = (y.view(), dy.view());
            layer.backward(Backward { params, grads, x, y, dy, dx: dx_view, cache, share: 1.0 });
            assert_eq!(dx, right_dx, "{a:?} {b:?}");
        }
    }
    assert!((1000..5000).contains(&broadcast), "{broadcast} of {} pairs", pairs.len());
}

#[test]
fn not_a_number_is_repeated_too() {
    let x = array![[f64::NAN, 1.0, 2.0, 3.0, 0.0, f64::NAN]];
    let layer = SideBySide::new(Maximum, [[2, 1], [2, 2]]);
    let (_, mut cache) = Layer::<f64>::plan(&layer, [6].into(), &mut Plan::new()).unwrap();
    let mut y = Array2::zeros((1, 4));
    let params = Params::new(&[]);
    let x = x.view();
    let cache = &mut cache;
    layer.forward(Forward { params, x, y: y.view_mut(), cache, mode: Mode::Eval });
    assert!(y[[0, 0]].is_nan() && y[[0, 1]].is_nan() && y[[0, 3]].is_nan() && y[[0, 2]] == 1.0, "{y}");
}

#[test]
fn not_a_number_stays() {
    let x = array![[1.0, f64::NAN, 3.0, 2.0], [f64::NAN, 1.0, 2.0, f64::NAN]];
    for y in [joined(Maximum, &[2, 2], &x), joined(Minimum, &[2, 2], &x)] {
        assert!(y[[0, 1]].is_nan() && y[[1, 0]].is_nan() && y[[1, 1]].is_nan(), "{y}");
    }
    assert_eq!(joined(Maximum, &[1, 1, 1, 1], &array![[1.0, 4.0, 3.0, 4.0]]), array![[4.0]]);
}

#[test]
fn a_vector_without_length_has_no_angle() {
    let x = array![[0.0, 0.0, 3.0, 4.0], [3.0, 4.0, 6.0, 8.0], [1.0, 0.0, 0.0, 2.0], [1.0, 1.0, -2.0, -2.0]];
    let y = joined(Dot::new().cosine(), &[2, 2], &x);
    for (found, right) in y.iter().zip([0.0, 1.0, 0.0, -1.0]) {
        assert!((found - right).abs() < 1e-15, "{y}");
    }
    assert_eq!(joined(Dot::new(), &[2, 2], &x).column(0).to_vec(), [0.0, 50.0, 0.0, -4.0]);
}

#[test]
fn blocks_of_a_concatenation() {
    // Two samples of one row with [1] and one with [2, 3]: the parts are contiguous.
    let x = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    assert_eq!(joined(Concat::default(), &[1, 2], &x), x);
    let layer = SideBySide::new(Concat::axis(1), [[2, 1], [2, 2]]);
    let (output, mut cache) = Layer::<f64>::plan(&layer, [6].into(), &mut Plan::new()).unwrap();
    assert_eq!(output, Shape::from([2, 3]));
    let x = array![[1.0, 2.0, 10.0, 11.0, 20.0, 21.0]];
    let mut y = Array2::zeros((1, 6));
    let params = Params::new(&[]);
    let cache = &mut cache;
    layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode: Mode::Eval });
    assert_eq!(y, array![[1.0, 10.0, 11.0, 2.0, 20.0, 21.0]]);
}
