//! Files of PyTorch, and files for PyTorch: see `pytorch.py`.

use std::collections::BTreeMap;

use chainrule_interop::{Dtype, Loading, Names, Rename, StateDict, Tensor};
use chainrule_train::Model;

use crate::{Case, cases, file};

/// The maximum difference of outputs, which are about 1.
const TOLERANCE: f32 = 2e-6;

#[test]
fn weights_of_pytorch_give_its_outputs() {
    for case in cases() {
        let dict = StateDict::read_pytorch(file(format!("pytorch/{}.pt", case.name))).unwrap();
        let mut model = case.model(1);
        let before = case.difference(&model, &case.y);
        assert!(before > 100.0 * TOLERANCE, "{}: the weights change nothing", case.name);
        Loading::new(Names::PyTorch)
            .load(&dict, &mut model)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let after = case.difference(&model, &case.y);
        assert!(after < TOLERANCE, "{}: {after}", case.name);
        // And back: the same tensors, except the counts of batches.
        let back = StateDict::of(&model, Names::PyTorch);
        for (name, tensor) in dict.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")) {
            let of_two = name.contains("bias_") && !case.description.contains("gru");
            assert!(of_two || back.get(name) == Some(tensor), "{}: {name}", case.name);
        }
    }
}

#[test]
fn all_forms_hold_the_same() {
    let right = StateDict::read_pytorch(file("pytorch/mlp.pt")).unwrap();
    let sorted = |dict: &StateDict| {
        let tensors = dict
            .iter()
            .map(|(name, tensor)| (name.to_owned(), format!("{tensor:?} {:?}", tensor.to_bytes())));
        tensors.collect::<BTreeMap<_, _>>()
    };
    for (form, dict) in [
        ("legacy", StateDict::read_pytorch(file("pytorch/mlp legacy.pt"))),
        ("safetensors", StateDict::read_safetensors(file("pytorch/mlp.safetensors"))),
        ("npz", StateDict::read_npz(file("pytorch/mlp.npz"))),
        ("compressed", StateDict::read_npz(file("pytorch/mlp compressed.npz"))),
        ("ours", Ok(StateDict::from_safetensors(right.to_safetensors().unwrap()).unwrap())),
        ("our npz", Ok(StateDict::from_npz(&right.to_npz().unwrap()).unwrap())),
        (
            "checkpoint",
            StateDict::read_pytorch(file("pytorch/checkpoint.pt")).map(|dict| dict.within("model")),
        ),
    ] {
        assert_eq!(sorted(&dict.unwrap()), sorted(&right), "{form}");
    }
}

#[test]
fn other_precisions_are_those_of_pytorch() {
    let single = StateDict::read_pytorch(file("pytorch/mlp.pt")).unwrap();
    let case = cases().into_iter().find(|case| case.name == "mlp").unwrap();
    for (name, dtype) in [("float16", Dtype::F16), ("bfloat16", Dtype::Bf16), ("float64", Dtype::F64)] {
        let found = StateDict::read_pytorch(file(format!("pytorch/mlp {name}.pt"))).unwrap();
        let same = StateDict::read_safetensors(file(format!("pytorch/mlp {name}.safetensors"))).unwrap();
        let ours = single.to_dtype(dtype);
        for (name, tensor) in found.iter() {
            assert_eq!(Some(tensor), ours.get(name), "{name} {dtype}");
            assert_eq!(Some(tensor), same.get(name), "{name} {dtype}");
        }
        let mut model = case.model(1);
        let loading = Loading::new(Names::PyTorch);
        match loading.load(&found, &mut model) {
            Ok(_) => assert!(case.difference(&model, &case.y) < 0.01 && dtype != Dtype::F64),
            Err(error) => {
                assert_eq!((error.types.len(), dtype), (found.len() - 1, Dtype::F64));
                loading.rounded().load(&found, &mut model).unwrap();
                assert!(case.difference(&model, &case.y) < TOLERANCE);
            }
        }
    }
}

#[test]
fn views_of_storages_are_read() {
    for form in ["", " legacy"] {
        let dict = StateDict::read_pytorch(file(format!("pytorch/views{form}.pt"))).unwrap();
        let values = |name: &str| dict.get(name).unwrap().values().unwrap().collect::<Vec<_>>();
        assert_eq!(dict.get("transposed").unwrap().shape(), [4, 3]);
        assert_eq!(values("transposed"), [0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0, 10.0, 3.0, 7.0, 11.0]);
        assert_eq!(values("part"), [2.0, 3.0, 4.0]);
        assert_eq!(values("parameter"), [0.0, 1.0]);
        assert_eq!(values("scalar"), [2.5]);
        assert_eq!(dict.get("empty").unwrap().shape(), [0, 3]);
        let ids = Tensor::new(Dtype::I64, [2], [1i64.to_le_bytes(), (-2i64).to_le_bytes()].concat()).unwrap();
        assert_eq!(dict.get("ids"), Some(&ids));
        assert_eq!(dict.get("bits"), Some(&Tensor::new(Dtype::Bool, [1], vec![1]).unwrap()));
    }
}

/// The model whose weights are in the folder `chainrule`, for PyTorch to load: with statistics as after a training.
fn exported(case: &Case) -> Model<f32> {
    let mut model = case.model(7);
    let statistics: Vec<_> =
        model.plan().entries().iter().filter(|entry| entry.name.contains("running")).cloned().collect();
    for entry in statistics {
        for index in entry.range {
            model.parameters_mut()[index] += 0.01 * (index % 7) as f32;
        }
    }
    model
}

#[test]
fn pytorch_computes_the_same_with_our_weights() {
    let outputs = std::fs::read_to_string(file("chainrule/outputs.json")).unwrap();
    let outputs: BTreeMap<String, Vec<f32>> = serde_json::from_str(&outputs).unwrap();
    for case in cases() {
        let model = exported(&case);
        let dict = StateDict::of(&model, Names::PyTorch);
        let committed =
            StateDict::read_safetensors(file(format!("chainrule/{}.safetensors", case.name))).unwrap();
        let differs = "the weights for PyTorch have changed: run this crate's test `write_weights_for_pytorch` with `--ignored`, \
                       and then tests/interop/pytorch.py";
        assert_eq!(committed.len(), dict.len(), "{}: {differs}", case.name);
        for (name, tensor) in dict.iter() {
            assert_eq!(committed.get(name), Some(tensor), "{} {name}: {differs}", case.name);
        }
        let difference = case.difference(&model, &outputs[&case.name]);
        assert!(difference < TOLERANCE, "{}: {difference}", case.name);
        let mut again = case.model(8);
        Loading::new(Names::PyTorch).load(&committed, &mut again).unwrap();
        assert_eq!(again.parameters_sha256(), model.parameters_sha256(), "{}", case.name);
    }
}

#[test]
#[ignore = "it writes the files that `pytorch.py` reads"]
fn write_weights_for_pytorch() {
    std::fs::create_dir_all(file("chainrule")).unwrap();
    for case in cases() {
        let dict = StateDict::of(&exported(&case), Names::PyTorch);
        dict.write_safetensors(file(format!("chainrule/{}.safetensors", case.name))).unwrap();
    }
}

#[test]
fn a_stack_of_pytorch_is_renamed() {
    // Two layers in one module there are two modules here.
    let case = cases().into_iter().find(|case| case.name == "lstm").unwrap();
    let dict = StateDict::read_pytorch(file("pytorch/lstm.pt")).unwrap();
    let stack: StateDict = dict
        .iter()
        .map(|(name, tensor)| {
            (
                name.replace("0.", "rnn.").replace("1.", "rnn.").replace("l0", &format!("l{}", &name[..1])),
                tensor.clone(),
            )
        })
        .collect();
    assert!(stack.get("rnn.weight_hh_l1").is_some());
    let loading = Loading::new(Names::PyTorch)
        .rename(Rename::new("rnn.*_l0", "0.*_l0").unwrap())
        .rename(Rename::new("rnn.*_l1", "1.*_l0").unwrap());
    let mut model = case.model(3);
    loading.load(&stack, &mut model).unwrap();
    assert!(case.difference(&model, &case.y) < TOLERANCE);
}
