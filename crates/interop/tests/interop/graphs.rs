//! Graphs that are put together here, node by node.

use chainrule_interop::OnnxModel;

/// A field of protobuf, of bytes.
pub(crate) fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

/// A field of protobuf, of a number.
fn number(tag: u8, value: u64) -> Vec<u8> {
    [vec![tag << 3], varint(value)].concat()
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An ONNX file with these parts of a graph, whose input `x` has samples of four values.
pub(crate) fn onnx(parts: &[Vec<u8>]) -> Vec<u8> {
    let axis = |length: u64| field(1, &number(1, length));
    let shape = field(2, &[axis(1), axis(4)].concat());
    let kind = field(2, &field(1, &[number(1, 1), shape].concat()));
    let input = field(11, &[field(1, b"x"), kind].concat());
    let output = field(12, &field(1, b"y"));
    [field(7, &[&[input, output], parts].concat().concat()), field(8, &number(2, 17))].concat()
}

/// A node with one output.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    node_with(operator, inputs, &[output], &[])
}

/// A node with these attributes.
fn node_with(operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let names = |tag: u8, names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| field(tag, name.as_bytes())).collect()
    };
    let parts = [names(1, inputs), names(2, outputs), field(4, operator.as_bytes()), attributes.concat()];
    field(1, &parts.concat())
}

/// The type of an attribute.
fn number_of_kind(kind: u8) -> Vec<u8> {
    vec![0xa0, 1, kind]
}

/// An attribute that is a whole number.
fn int(name: &str, value: u64) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), number(3, value), number_of_kind(2)].concat())
}

/// An attribute that is a list of whole numbers.
fn ints(name: &str, values: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| number(8, *value)).collect();
    field(5, &[field(1, name.as_bytes()), values, number_of_kind(7)].concat())
}

/// An attribute that is a number of single precision.
fn float(name: &str, value: f32) -> Vec<u8> {
    field(
        5,
        &[field(1, name.as_bytes()), vec![2 << 3 | 5], value.to_le_bytes().to_vec(), number_of_kind(1)]
            .concat(),
    )
}

/// A constant of single precision, with these axes and this many zeros.
pub(crate) fn constant(name: &str, axes: &[u64], zeros: usize) -> Vec<u8> {
    of_kind(name, 1, axes, &vec![0; 4 * zeros])
}

/// A constant of these whole numbers.
fn whole(name: &str, values: &[i64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    of_kind(name, 7, &[values.len() as u64], &bytes)
}

/// A constant whose elements are of this type.
fn of_kind(name: &str, kind: u64, axes: &[u64], bytes: &[u8]) -> Vec<u8> {
    let axes: Vec<u8> = axes.iter().flat_map(|length| number(1, *length)).collect();
    field(5, &[axes, number(2, kind), field(8, name.as_bytes()), field(9, bytes)].concat())
}

/// The layers of a graph whose input `x` has samples of four values.
fn layers(parts: &[Vec<u8>]) -> Result<String, String> {
    let model = OnnxModel::from_bytes(&onnx(parts)).map_err(|error| error.to_string())?;
    Ok(model.description().to_string())
}

fn refused(parts: &[Vec<u8>], part: &str) {
    let message = layers(parts).unwrap_err();
    assert!(message.contains(part), "{part}: {message}");
}

#[test]
fn what_is_computed_is_not_omitted() {
    let shape = || whole("shape", &[3]);
    let zeros = node("ConstantOfShape", &["shape"], "b");
    let weight = constant("w", &[4, 3], 12);
    refused(
        &[weight.clone(), shape(), zeros.clone(), node("Gemm", &["x", "w", "b"], "y")],
        "Gemm, becomes no layer: its input 2 is not a constant",
    );
    refused(&[shape(), zeros.clone(), node("Clip", &["x", "b"], "y")], "its input 1 is not a constant");
    refused(&[shape(), zeros.clone(), node("Clip", &["x", "", "b"], "y")], "its input 2 is not a constant");
    let one = || whole("one", &[1]);
    let slice = |steps: &str| node("Slice", &["x", "one", "end", "one", steps], "y");
    let ends = || whole("end", &[3]);
    assert!(layers(&[one(), ends(), slice("one")]).is_ok());
    refused(&[one(), ends(), shape(), zeros.clone(), slice("b")], "its input 4 is not a constant");
    refused(&[one(), ends(), constant("b", &[1], 1), slice("b")], "its steps are not whole numbers");
    refused(&[constant("b", &[1], 1), node("Squeeze", &["x", "b"], "y")], "its axes are not whole numbers");
    assert!(layers(&[weight, node("Gemm", &["x", "w", ""], "y")]).unwrap().contains("bias=false"));
}

#[test]
fn omitted_outputs_are_not_used() {
    let four = |name: &str| constant(name, &[4], 4);
    let norm = node_with("BatchNormalization", &["x", "a", "b", "a", "b"], &["y", ""], &[]);
    assert!(layers(&[four("a"), four("b"), norm.clone()]).is_ok());
    // An omitted input is not such an output.
    let clip = node("Clip", &["h", "", ""], "y");
    let norm = node_with("BatchNormalization", &["x", "a", "b", "a", "b"], &["h", ""], &[]);
    assert!(layers(&[four("a"), four("b"), norm, clip]).is_ok());
    let lstm = node_with("LSTM", &["s", "w", "r", "", "", ""], &["all", "", ""], &[int("hidden_size", 1)]);
    let parts = [
        whole("axes", &[0]),
        whole("states", &[1]),
        constant("w", &[1, 4, 4], 16),
        constant("r", &[1, 4, 1], 4),
        node("Unsqueeze", &["x", "axes"], "s"),
        lstm,
        node("Squeeze", &["all", "states"], "steps"),
        node("Squeeze", &["steps", "axes"], "y"),
    ];
    assert!(layers(&parts).unwrap().contains("lstm(units=1"), "{:?}", layers(&parts));
}

#[test]
fn constants_do_not_multiply() {
    // Half a megabyte that is put together with itself a hundred thousand times.
    let large = || constant("c", &[1 << 17], 1 << 17);
    let many = vec!["c"; 100_000];
    let joined = node_with("Concat", &many, &["j"], &[int("axis", 0)]);
    refused(&[large(), joined, node("Add", &["x", "j"], "y")], "many times the memory of the file");
    // One that is transposed again and again.
    let wide = || constant("c", &[1 << 8, 1 << 9], 1 << 17);
    let mut parts = vec![wide()];
    parts.extend((0..20).map(|index| node("Transpose", &["c"], &format!("t{index}"))));
    let sums = |index: usize| {
        let before = if index == 0 { "x".to_owned() } else { format!("h{}", index - 1) };
        node("Sum", &[&before, &format!("t{index}")], &format!("h{index}"))
    };
    parts.extend((0..20).map(sums));
    parts.push(node("Relu", &["h19"], "y"));
    refused(&parts, "many times the memory of the file");
    let axes: Vec<u64> = (0..65).collect();
    let more = node_with("Unsqueeze", &["c"], &["u"], &[ints("axes", &axes)]);
    refused(&[constant("c", &[1], 1), more, node("Add", &["x", "u"], "y")], "Unsqueeze, which is not known");
}

#[test]
fn long_names_are_cut() {
    let operator = "Unknown".repeat(1000);
    let strange = node(&operator, &["c"], "u");
    let message = layers(&[constant("c", &[1], 1), strange, node("Add", &["x", "u"], "y")]).unwrap_err();
    assert!(message.contains("UnknownUnknown") && message.len() < 300, "{message}");
}

#[test]
fn settings_that_no_layer_has_are_named() {
    refused(&[node_with("Selu", &["x"], &["y"], &[float("alpha", 1.0)])], "its alpha");
    let usual = [float("alpha", 1.673_263_2), float("gamma", 1.050_701)];
    assert!(layers(&[node_with("Selu", &["x"], &["y"], &usual)]).unwrap().contains("selu"));
    let cast = |to: u64, input: &str| node_with("Cast", &[input], &["y"], &[int("to", to)]);
    let relu = || node("Relu", &["x"], "h");
    assert!(layers(&[relu(), cast(1, "h")]).is_ok());
    refused(&[relu(), cast(7, "h")], "it rounds values");
    refused(&[relu(), cast(9, "h")], "it makes elements of the type 9");
    let split = |lengths: &[i64]| {
        [whole("parts", lengths), node_with("Split", &["x", "parts"], &["y", "z"], &[int("axis", 1)])]
    };
    assert!(layers(&split(&[1, 3])).is_ok());
    refused(&split(&[1, 2]), "do not sum to");
    let reshape = |lengths: &[i64]| {
        [whole("to", lengths), node_with("Reshape", &["x", "to"], &["y"], &[int("allowzero", 1)])]
    };
    assert!(layers(&reshape(&[-1, 2, 2])).is_ok());
    refused(&reshape(&[0, 2, 2]), "length 0");
}

/// A constant of these numbers in single precision.
fn floats(name: &str, axes: &[u64], values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    of_kind(name, 1, axes, &bytes)
}

/// An attribute that is a text.
fn text(name: &str, value: &str) -> Vec<u8> {
    field(5, &[field(1, name.as_bytes()), field(4, value.as_bytes()), number_of_kind(3)].concat())
}

/// What a graph makes of a sample of four values.
fn predicted(parts: &[Vec<u8>], x: [f32; 4]) -> Vec<f32> {
    let model = OnnxModel::from_bytes(&onnx(parts)).unwrap().model::<f32>().unwrap();
    model.predict(ndarray::arr2(&[x]).view()).unwrap().into_iter().collect()
}

/// Nodes one after the other: an operator, its inputs and its output.
fn nodes(list: &[(&str, &[&str], &str)]) -> Vec<Vec<u8>> {
    list.iter().map(|(operator, inputs, output)| node(operator, inputs, output)).collect()
}

#[test]
fn formulas_are_the_activations_that_they_are() {
    let one = |name: &str, value: f32| floats(name, &[], &[value]);
    let constants = || {
        [
            ("0", 0.0),
            ("1", 1.0),
            ("3", 3.0),
            ("6", 6.0),
            ("half", 0.5),
            ("tenth", 0.1),
            ("2", 2.0),
            ("cubic", 0.044_715),
        ]
        .map(|(name, value)| one(name, value))
    };
    let root = || one("root", (2.0 / std::f32::consts::PI).sqrt());
    for (expected, list) in [
        (
            // As PyTorch's exporter has it, and Keras'.
            "gelu_tanh",
            nodes(&[
                ("Pow", &["x", "3"], "cube"),
                ("Mul", &["cubic", "cube"], "small"),
                ("Add", &["x", "small"], "sum"),
                ("Mul", &["root", "sum"], "scaled"),
                ("Tanh", &["scaled"], "tanh"),
                ("Add", &["1", "tanh"], "above"),
                ("Mul", &["half", "x"], "halves"),
                ("Mul", &["halves", "above"], "y"),
            ]),
        ),
        (
            "hard_swish",
            nodes(&[
                ("Add", &["x", "3"], "a"),
                ("Clip", &["a", "0", "6"], "b"),
                ("Mul", &["x", "b"], "c"),
                ("Div", &["c", "6"], "y"),
            ]),
        ),
        (
            "hard_sigmoid",
            nodes(&[("Add", &["x", "3"], "a"), ("Clip", &["a", "0", "6"], "b"), ("Div", &["b", "6"], "y")]),
        ),
        (
            "sigmoid",
            nodes(&[
                ("Neg", &["x"], "a"),
                ("Exp", &["a"], "b"),
                ("Add", &["b", "1"], "c"),
                ("Reciprocal", &["c"], "y"),
            ]),
        ),
        ("silu", nodes(&[("Sigmoid", &["x"], "a"), ("Mul", &["x", "a"], "y")])),
        ("mish", nodes(&[("Softplus", &["x"], "a"), ("Tanh", &["a"], "b"), ("Mul", &["b", "x"], "y")])),
        ("log_sigmoid", nodes(&[("Sigmoid", &["x"], "a"), ("Log", &["a"], "y")])),
        ("relu", nodes(&[("Max", &["x", "0"], "y")])),
        ("relu6", nodes(&[("Relu", &["x"], "a"), ("Min", &["a", "6"], "y")])),
        ("relu_squared", nodes(&[("Relu", &["x"], "a"), ("Pow", &["a", "2"], "y")])),
        (
            "leaky_relu(negative_slope=0.1)",
            nodes(&[("Mul", &["x", "tenth"], "a"), ("Max", &["x", "a"], "y")]),
        ),
        (
            "threshold(threshold=0.1, value=3)",
            nodes(&[("Greater", &["x", "tenth"], "a"), ("Where", &["a", "x", "3"], "y")]),
        ),
    ] {
        let found = layers(&[&constants()[..], &[root()], &list].concat()).unwrap();
        assert_eq!(found, format!("sequential(layers=[{expected}])").replace("value=3)", "value=3.0)"));
    }
    // One that is none names the node that no layer is.
    let list = nodes(&[("Add", &["x", "3"], "a"), ("Relu", &["a"], "y")]);
    refused(&[&constants()[..], &list].concat(), "Add: it computes with a constant that is no bias");
    let list = nodes(&[("Add", &["x", "3"], "y")]);
    refused(&[&constants()[..], &list].concat(), "Add: it computes with a constant that is no bias");
}

/// What a formula does only to large numbers is not seen in the numbers that it is tried with.
#[test]
fn a_limit_far_away_is_not_lost() {
    let limit = |most: f32| vec![floats("most", &[], &[most])];
    let clipped = [limit(100.0), nodes(&[("Relu", &["x"], "a"), ("Min", &["a", "most"], "y")])].concat();
    refused(&clipped, "Min");
    let six = [limit(6.0), nodes(&[("Relu", &["x"], "a"), ("Min", &["a", "most"], "y")])].concat();
    assert_eq!(predicted(&six, [-1.0, 5.0, 7.0, 200.0]), [0.0, 5.0, 6.0, 6.0]);
}

#[test]
fn what_comes_after_a_layer_becomes_part_of_its_weights() {
    let weight = || floats("w", &[4, 2], &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let product = || node("MatMul", &["x", "w"], "z");
    let by = |value: f32| floats("by", &[], &[value]);
    let scaled = [weight(), by(3.0), product(), node("Mul", &["z", "by"], "a"), node("Relu", &["a"], "y")];
    assert!(layers(&scaled).unwrap().contains("relu") && !layers(&scaled).unwrap().contains("multiply"));
    assert_eq!(predicted(&scaled, [1.0, 2.0, 3.0, 4.0]), [3.0, 6.0]);
    // Not where the product is used without the factor too.
    let both = [weight(), by(3.0), product(), node("Mul", &["z", "by"], "a"), node("Add", &["a", "z"], "y")];
    refused(&both, "multiplied by 3");
}

#[test]
fn numbers_along_an_axis_are_a_convolution_of_each_channel() {
    let parts = [
        floats("scale", &[4], &[1.0, 2.0, 3.0, 4.0]),
        floats("shift", &[4], &[0.0, 0.0, 1.0, 1.0]),
        node("Relu", &["x"], "z"),
        node("Mul", &["z", "scale"], "a"),
        node("Add", &["a", "shift"], "y"),
    ];
    assert!(layers(&parts).unwrap().contains("depthwise_conv1d(kernel=[1]"));
    assert_eq!(layers(&parts).unwrap().matches("depthwise").count(), 1);
    assert_eq!(predicted(&parts, [1.0, 1.0, 1.0, -1.0]), [1.0, 2.0, 4.0, 1.0]);
}

#[test]
fn groups_of_channels_are_normalised() {
    let shape = |name: &str, lengths: &[i64]| whole(name, lengths);
    let parts = [
        shape("image", &[0, 4, 1, 1]),
        shape("groups", &[0, 2, -1]),
        floats("ones", &[2], &[1.0, 1.0]),
        floats("zeros", &[2], &[0.0, 0.0]),
        floats("w", &[4, 1, 1], &[1.0, 2.0, 1.0, 1.0]),
        floats("b", &[4, 1, 1], &[0.0, 0.0, 0.0, 5.0]),
        node("Reshape", &["x", "image"], "a"),
        node("Reshape", &["a", "groups"], "c"),
        node("InstanceNormalization", &["c", "ones", "zeros"], "d"),
        node("Reshape", &["d", "image"], "e"),
        node("Mul", &["e", "w"], "f"),
        node("Add", &["f", "b"], "y"),
    ];
    let found = layers(&parts).unwrap();
    assert!(found.contains("group_norm(groups=2") && found.contains("affine=true"), "{found}");
    assert!(!found.contains("depthwise"), "{found}");
    let y = predicted(&parts, [1.0, 3.0, -2.0, -2.0]);
    let expected = [-1.0, 2.0, 0.0, 5.0];
    assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-4), "{y:?}");
}

#[test]
fn images_are_resized_as_far_as_layers_do() {
    let resized = |attributes: &[Vec<u8>], scales: &[f32]| {
        vec![
            whole("image", &[0, 1, 2, 2]),
            floats("scales", &[4], scales),
            node("Reshape", &["x", "image"], "a"),
            node_with("Resize", &["a", "", "scales"], &["y"], attributes),
        ]
    };
    let nearest = resized(&[], &[1.0, 1.0, 2.0, 1.0]);
    assert!(
        layers(&nearest).unwrap().contains("up_sampling2d(factors=[2, 1])"),
        "{}",
        layers(&nearest).unwrap()
    );
    assert_eq!(predicted(&nearest, [1.0, 2.0, 3.0, 4.0]), [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    let linear = |transform: &str, scales: &[f32]| {
        resized(&[text("mode", "linear"), text("coordinate_transformation_mode", transform)], scales)
    };
    let corners = linear("align_corners", &[1.0, 1.0, 1.0, 1.5]);
    assert_eq!(predicted(&corners, [1.0, 2.0, 3.0, 4.0]), [1.0, 1.5, 2.0, 3.0, 3.5, 4.0]);
    assert!(layers(&linear("half_pixel", &[1.0, 1.0, 2.0, 2.0])).unwrap().contains("align_corners=false"));
    for (parts, problem) in [
        (resized(&[text("mode", "cubic")], &[1.0, 1.0, 2.0, 2.0]), "by the mode cubic"),
        (linear("asymmetric", &[1.0, 1.0, 2.0, 2.0]), "by asymmetric"),
        (resized(&[], &[1.0, 1.0, 1.5, 2.0]), "by half_pixel and round_prefer_floor"),
        (resized(&[], &[1.0, 1.0, 1.3, 2.0]), "axes of whole lengths"),
        (resized(&[], &[1.0, 2.0, 2.0, 2.0]), "resizes the channels"),
        (resized(&[], &[2.0, 1.0, 2.0, 2.0]), "1 for the batch"),
        (resized(&[], &[1.0, 1.0, 1e30, 2.0]), "axes of whole lengths"),
        (resized(&[int("antialias", 1)], &[1.0, 1.0, 2.0, 2.0]), "smoothed"),
        (resized(&[text("keep_aspect_ratio_policy", "not_larger")], &[1.0, 1.0, 2.0, 2.0]), "ratio"),
    ] {
        refused(&parts, problem);
    }
}

#[test]
fn a_step_before_the_others_is_a_class_token() {
    let parts = [
        whole("steps", &[0, 2, 2]),
        floats("token", &[1, 1, 2], &[7.0, 8.0]),
        whole("zero", &[0]),
        whole("rest", &[1, 2]),
        node("Reshape", &["x", "steps"], "a"),
        node("Shape", &["a"], "shape"),
        node_with("Gather", &["shape", "zero"], &["batch"], &[int("axis", 0)]),
        node_with("Concat", &["batch", "rest"], &["all"], &[int("axis", 0)]),
        node("Expand", &["token", "all"], "tokens"),
        node_with("Concat", &["tokens", "a"], &["y"], &[int("axis", 1)]),
    ];
    assert!(layers(&parts).unwrap().contains("class_token"), "{}", layers(&parts).unwrap());
    assert_eq!(predicted(&parts, [1.0, 2.0, 3.0, 4.0]), [7.0, 8.0, 1.0, 2.0, 3.0, 4.0]);
    // Zeros along an axis of steps stay zeros.
    let parts = [
        whole("steps", &[0, 2, 2]),
        whole("pads", &[0, 1, 0, 0, 1, 0]),
        node("Reshape", &["x", "steps"], "a"),
        node("Pad", &["a", "pads"], "y"),
    ];
    assert!(
        layers(&parts).unwrap().contains("zero_padding1d(sides=[[1, 1]])"),
        "{}",
        layers(&parts).unwrap()
    );
    assert_eq!(predicted(&parts, [1.0, 2.0, 3.0, 4.0]), [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
}
