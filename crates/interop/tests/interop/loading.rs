//! Which tensors a model takes.

use chainrule_interop::{Dtype, Loading, Names, Rename, StateDict, Tensor};
use chainrule_tensor::Seed;
use chainrule_train::Model;

fn model(text: &str, input: usize, seed: u64) -> Model<f32> {
    Model::from_description([input], &text.parse().unwrap(), Seed(seed)).unwrap()
}

fn zeros(shape: &[usize]) -> Tensor {
    let bytes = 4 * shape.iter().product::<usize>();
    Tensor::new(Dtype::F32, shape, vec![0; bytes]).unwrap()
}

#[test]
fn everything_that_is_wrong_is_listed() {
    let mut own = model("dense(3) then batch_norm then dense(2)", 4, 0);
    let before = own.parameters().to_vec();
    let mut dict = StateDict::of(&own, Names::PyTorch);
    dict.insert("0.weight", zeros(&[4, 3]));
    dict.insert("2.bias", Tensor::new(Dtype::I64, [2], vec![0; 16]).unwrap());
    dict.insert("3.weight", zeros(&[1]));
    dict.insert("1.num_batches_tracked", Tensor::new(Dtype::I64, [], vec![0; 8]).unwrap());
    let dict: StateDict =
        dict.iter().filter(|(name, _)| *name != "2.weight").map(|(n, t)| (n, t.clone())).collect();
    let error = Loading::new(Names::PyTorch).load(&dict, &mut own).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tensors are not those of the model; missing: 2.weight; surplus: 3.weight; of another shape: 0.weight [4, 3] instead \
         of [3, 4]; of a type that would have to be rounded (`Loading::rounded`) or is not a floating-point number: 2.bias i64 instead of f32: rename \
         them by patterns (`Loading::rename`), or leave out what does not match (`Loading::lenient`)"
    );
    let error = Loading::new(Names::PyTorch).lenient().rounded().load(&dict, &mut own).unwrap_err();
    assert_eq!(
        (error.missing.len(), error.surplus.len(), error.shapes.len(), error.types.len()),
        (0, 0, 1, 1)
    );
    assert_eq!(own.parameters(), before, "nothing was changed");
}

#[test]
fn a_lenient_loading_says_what_it_left_out() {
    let backbone = model("dense(3) then relu then dense(2)", 4, 1);
    let mut own = model("dense(3) then relu then dense(5)", 4, 2);
    let last = own.parameter("2.weight").unwrap().to_vec();
    let dict = StateDict::of(&backbone, Names::Chainrule);
    let loading = Loading::new(Names::Chainrule).lenient().rename(Rename::new("2.*", "head.*").unwrap());
    let loaded = loading.load(&dict, &mut own).unwrap();
    assert_eq!(loaded.missing, ["2.weight", "2.bias"]);
    assert_eq!(loaded.surplus, ["head.bias", "head.weight"]);
    assert_eq!(own.parameter("0.weight"), backbone.parameter("0.weight"));
    assert_eq!(own.parameter("2.weight"), Some(&last[..]));
    let twice = Loading::new(Names::Chainrule).rename(Rename::new("*.weight", "0.weight").unwrap());
    assert_eq!(twice.load(&dict, &mut own).unwrap_err().repeated, ["0.weight"]);
}

#[test]
fn tied_weights_are_there_once() {
    let text = "graph(inputs=[input(a, [4]), input(b, [4])], nodes=[layer(left, dense(3), a), shared(right, left, [b]), \
                merge(sum, add, [left, right])], outputs=[sum])";
    let own = model(text, 8, 1);
    let mut dict = StateDict::of(&own, Names::PyTorch);
    assert_eq!(dict.names().collect::<Vec<_>>(), ["0.left.weight", "0.left.bias"]);
    // PyTorch writes them under both names.
    for name in ["weight", "bias"] {
        dict.insert(format!("0.right.{name}"), dict.get(&format!("0.left.{name}")).unwrap().clone());
    }
    let mut other = model(text, 8, 2);
    Loading::new(Names::PyTorch).load(&dict, &mut other).unwrap();
    assert_eq!(other.parameters(), own.parameters());
    assert_eq!(Loading::new(Names::Chainrule).load(&dict, &mut other).unwrap_err().surplus.len(), 2);
}

#[test]
fn two_biases_of_pytorch_are_added_up_in_any_order() {
    let mut own = model("reshape([2, 2]) then rnn(2)", 4, 1);
    let mut dict = StateDict::of(&own, Names::PyTorch);
    assert_eq!(dict.get("1.bias_hh_l0"), Some(&zeros(&[2])));
    let bias = |values: [f32; 2]| {
        Tensor::new(Dtype::F32, [2], values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
            .unwrap()
    };
    dict.insert("1.bias_ih_l0", bias([1.0, -0.0]));
    dict.insert("1.bias_hh_l0", bias([0.5, 0.0]));
    let reversed: StateDict =
        dict.iter().collect::<Vec<_>>().into_iter().rev().map(|(n, t)| (n, t.clone())).collect();
    for dict in [dict, reversed] {
        Loading::new(Names::PyTorch).load(&dict, &mut own).unwrap();
        let bias: Vec<u32> = own.parameter("1.bias").unwrap().iter().map(|value| value.to_bits()).collect();
        assert_eq!(bias, [1.5f32.to_bits(), (-0.0f32).to_bits()]);
    }
}

#[test]
fn double_precision_goes_out_and_comes_in() {
    let description = "dense(3) then tanh then dense(2)".parse().unwrap();
    let own = Model::<f64>::from_description([4], &description, Seed(5)).unwrap();
    let dict = StateDict::of(&own, Names::PyTorch);
    assert!(dict.iter().all(|(_, tensor)| tensor.dtype() == Dtype::F64));
    let mut other = Model::<f64>::from_description([4], &description, Seed(6)).unwrap();
    let bytes = dict.to_safetensors().unwrap();
    Loading::new(Names::PyTorch).load(&StateDict::from_safetensors(bytes).unwrap(), &mut other).unwrap();
    assert_eq!(other.parameters(), own.parameters());
    Loading::new(Names::PyTorch).load(&dict.to_dtype(Dtype::F32), &mut other).unwrap();
    assert!(other.parameters().iter().zip(own.parameters()).all(|(a, b)| *a == f64::from(*b as f32)));
}
