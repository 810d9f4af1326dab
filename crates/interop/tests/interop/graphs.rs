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
