//! Keras' own files: one that is here, and those of a real Keras, where that is installed.

use std::path::Path;
use std::process::Command;

use chainrule_interop::{Dtype, FormatError, Loading, Names, StateDict, Tensor};
use chainrule_tensor::Shape;
use chainrule_train::Model;

use crate::file;
use crate::keras::cases;

const MLP: &str = "keras/mlp.weights.h5";

fn loaded(path: &Path, model: &mut Model<f32>) {
    let dict = StateDict::read_keras(path).unwrap();
    let loading = Loading::new(Names::KerasFile);
    loading.load(&dict, model).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[test]
fn a_file_of_keras_is_what_its_script_wrote() {
    let case = cases().into_iter().find(|case| case.name == "mlp").unwrap();
    let mut model = case.model(1);
    loaded(&file(MLP), &mut model);
    assert_eq!(StateDict::of(&model, Names::Keras), StateDict::read_npz(file("keras/mlp.npz")).unwrap());
    // And back.
    let bytes = StateDict::of(&model, Names::KerasFile).to_keras().unwrap();
    let mut again = case.model(2);
    Loading::new(Names::KerasFile).load(&StateDict::from_keras(bytes).unwrap(), &mut again).unwrap();
    assert_eq!(again.parameters_sha256(), model.parameters_sha256());
    let half = StateDict::of(&model, Names::KerasFile).to_dtype(chainrule_interop::Dtype::F16);
    assert!(half.to_keras().unwrap_err().to_string().contains("convert it to f32"));
}

/// A seed of the fuzz target.
fn seed(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/keras").join(name)).unwrap()
}

fn problem(bytes: Vec<u8>) -> String {
    StateDict::from_keras(bytes).unwrap_err().to_string()
}

#[test]
fn numbers_of_every_type_are_read_or_named() {
    use chainrule_interop::Dtype::{I8, I16, I32, I64, U8, U16, U32, U64};
    let dict = StateDict::from_keras(seed("types")).unwrap();
    let types: Vec<_> = dict.iter().map(|(_, tensor)| tensor.dtype()).collect();
    assert_eq!(types, [I8, I16, I32, I64, U8, U16, U32, U64]);
    assert!(dict.iter().all(|(_, tensor)| tensor.numbers().eq([0.0, 1.0])));
    assert!(problem(seed("half")).contains("the data set 0: its elements are neither"));
    // Lists of more names than fit in a header.
    assert_eq!(StateDict::from_keras(seed("dense")).unwrap().len(), 9);
    for name in ["old", "dense"] {
        let dict = StateDict::from_keras(seed(name)).unwrap();
        let again = StateDict::from_keras(dict.to_keras().unwrap()).unwrap();
        assert_eq!(again.len(), dict.len());
        assert!(dict.iter().all(|(path, tensor)| again.get(path) == Some(tensor)), "{name}");
    }
    let half = StateDict::from_keras(seed("old")).unwrap().to_dtype(chainrule_interop::Dtype::F16);
    assert!(half.to_keras().unwrap_err().to_string().contains("a/0 is of f16"));
}

#[test]
fn a_file_of_many_layers_is_read() {
    let mut dict = StateDict::new();
    let tensor = |values: &[f32]| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor::new(Dtype::F32, [values.len()], bytes).unwrap()
    };
    for layer in 0..800 {
        dict.insert(format!("layers/dense_{layer}/vars/0"), tensor(&[layer as f32, 1.0]));
        dict.insert(format!("layers/dense_{layer}/vars/1"), tensor(&[0.5]));
    }
    let again = StateDict::from_keras(dict.to_keras().unwrap()).unwrap();
    assert_eq!(again.len(), 1600);
    assert!(dict.iter().all(|(path, tensor)| again.get(path) == Some(tensor)));
}

#[test]
fn what_takes_more_than_the_file_is_refused() {
    // Types of elements in each other.
    assert!(problem(seed("nested")).contains("the data set d: its elements are neither"));
    // A group that is in itself.
    let found = problem(seed("links"));
    assert!(found.contains("more bytes than it has"), "{found}");
    // Names that are all parts of a long one.
    let mut bytes = seed("old");
    let (start, name) = (bytes.len() as u64 + 32, [b'a'; 300]);
    bytes.extend(
        [&b"HEAP\0\0\0\0"[..], &301u64.to_le_bytes(), &[0xff; 8], &start.to_le_bytes(), &name, &[0]].concat(),
    );
    assert!(problem(bytes.clone()).contains("more than 255 bytes"));
    bytes.truncate(bytes.len() - 301);
    let heap = bytes.split_off(bytes.len() - 32);
    let list = [&[0; 24][..], &0u64.to_le_bytes()].concat();
    (0..3).for_each(|_| bytes.extend(&heap));
    bytes.extend(list);
    let whole = (bytes.len() as u64).to_le_bytes();
    let lists: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..].starts_with(b"HEAP")).collect();
    for &at in &lists[lists.len() - 3..] {
        bytes[at + 8..at + 16].copy_from_slice(&whole);
        bytes[at + 24..at + 32].copy_from_slice(&0u64.to_le_bytes());
    }
    assert!(problem(bytes).contains("in each other"));
    // Chunks, of which one claims to take 2.7 GB.
    assert!(problem(seed("new")).contains("the data set dense/vars/1: it is stored in chunks"));
    assert!(problem(seed("chunk")).contains("it is stored in chunks"));
    // A name that would be a path of many groups.
    assert!(problem(seed("slash")).contains("has a slash"));
    // A data set that is longer than the file.
    let mut bytes = seed("old");
    let shape = [&2u64.to_le_bytes()[..], &3u64.to_le_bytes()].concat();
    let found: Vec<usize> = (0..bytes.len() - 16).filter(|&at| bytes[at..].starts_with(&shape)).collect();
    found.iter().for_each(|&at| bytes[at..at + 8].copy_from_slice(&(1u64 << 40).to_le_bytes()));
    assert!(problem(bytes).contains("the data set a/0: it is larger than the file"));
}

#[test]
fn only_paths_are_written() {
    let written = |names: &[&str]| {
        let mut dict = StateDict::new();
        let tensor = Tensor::new(Dtype::F32, [1], vec![0; 4]).unwrap();
        names.iter().for_each(|name| dict.insert(*name, tensor.clone()));
        dict.to_keras().map(|bytes| StateDict::from_keras(bytes).unwrap())
    };
    let deep = |groups: usize| ["a/".repeat(groups), "0".to_owned()].concat();
    for names in [&["a/0", "a/b/0", "c"][..], &[&deep(32)], &[&"n".repeat(255)]] {
        let read = written(names).unwrap();
        assert_eq!(read.len(), names.len());
        assert!(names.iter().all(|name| read.get(name).is_some()), "{names:?}");
    }
    // NaN keeps its bits.
    for (dtype, bits) in
        [(Dtype::F32, &0x7f80_0001u32.to_le_bytes()[..]), (Dtype::F64, &(0x7ff << 52 | 1u64).to_le_bytes())]
    {
        let mut dict = StateDict::new();
        dict.insert("a", Tensor::new(dtype, [1], bits.to_vec()).unwrap());
        assert_eq!(StateDict::from_keras(dict.to_keras().unwrap()).unwrap().get("a"), dict.get("a"));
    }
    let mut dict = StateDict::new();
    let list = b"BTHD\0\0\0\0\0\0\0\0\x02\0\0\0";
    dict.insert("a", Tensor::new(Dtype::F32, [4], list.to_vec()).unwrap());
    assert!(dict.to_keras().unwrap_err().to_string().contains("look like a list of HDF5"));
    for (names, expected) in [
        (&["a/0", "a/0/b"][..], "a/0 would be a data set, and a group"),
        (&[&deep(33)], "more than 32 groups"),
        (&[&deep(1 << 20)], "more than 32 groups"),
        (&["a//0"], "the part `` of a//0 is no name"),
        (&["./0"], "the part `.` of ./0 is no name"),
        (&[&"n".repeat(256)], "is too long"),
    ] {
        let problem = written(names).unwrap_err().to_string();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn what_keras_has_no_name_for_is_missing() {
    let mut model =
        Model::<f32>::from_description([4], &"residual(dense(4)) then dense(3)".parse().unwrap(), 1).unwrap();
    let names: Vec<String> = StateDict::of(&model, Names::KerasFile).names().map(str::to_owned).collect();
    assert_eq!(names, ["0.residual.weight", "0.residual.bias", "layers/dense/vars/0", "layers/dense/vars/1"]);
    let dict = StateDict::read_keras(file(MLP)).unwrap();
    let error = Loading::new(Names::KerasFile).load(&dict, &mut model).unwrap_err();
    assert_eq!(error.missing, ["0.residual.weight", "0.residual.bias"]);
    assert!(error.surplus.iter().all(|name| name.starts_with("layers/")), "{error}");
}

#[test]
fn every_cut_and_every_change_of_a_byte_is_an_error_or_harmless() {
    let bytes = std::fs::read(file(MLP)).unwrap();
    let count = StateDict::from_keras(bytes.clone()).unwrap().len();
    for length in (0..bytes.len()).step_by(97) {
        assert!(StateDict::from_keras(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
    for index in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[index] ^= 0xff;
        if let Ok(dict) = StateDict::from_keras(changed) {
            let elements: usize = dict.iter().map(|(_, tensor)| tensor.to_bytes().len()).sum();
            assert!(dict.len() <= 2 * count && elements <= bytes.len(), "byte {index}");
        }
    }
    for bytes in [&b""[..], b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", &[0; 4096]] {
        assert!(StateDict::from_keras(bytes.to_vec()).is_err());
    }
}

#[test]
fn lists_that_are_no_trees_are_refused_before_they_are_followed() {
    let bytes = std::fs::read(file(MLP)).unwrap();
    let nodes: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..].starts_with(b"TREE")).collect();
    let [first, second, ..] = nodes[..] else { panic!("it has lists") };
    // Two children that are one node: with 60 such nodes one after the other, 2⁶⁰ paths.
    let mut shared = bytes.clone();
    shared[first + 5..first + 8].copy_from_slice(&[1, 2, 0]);
    for entry in 0..2 {
        shared[first + 32 + 16 * entry..][..8].copy_from_slice(&(second as u64).to_le_bytes());
    }
    let error = StateDict::from_keras(shared).unwrap_err();
    assert!(error.to_string().contains("more than once"), "{error}");
    // A node that is its own child.
    let mut cycle = bytes.clone();
    cycle[first + 5..first + 8].copy_from_slice(&[1, 1, 0]);
    cycle[first + 32..first + 40].copy_from_slice(&(first as u64).to_le_bytes());
    assert!(StateDict::from_keras(cycle).unwrap_err().to_string().contains("no tree"));
    let mut high = bytes;
    high[first + 5] = 9;
    assert!(StateDict::from_keras(high).unwrap_err().to_string().contains("9 levels"));
}

#[test]
fn a_model_of_many_layers_is_written_and_read() {
    let layers = vec!["dense(1)"; 600].join(" then ");
    let model = Model::<f32>::from_description([1], &layers.parse().unwrap(), 1).unwrap();
    let dict = StateDict::of(&model, Names::KerasFile);
    let again = StateDict::from_keras(dict.to_keras().unwrap()).unwrap();
    let mut other = Model::<f32>::from_description([1], &layers.parse().unwrap(), 2).unwrap();
    Loading::new(Names::KerasFile).load(&again, &mut other).unwrap();
    assert_eq!(other.parameters_sha256(), model.parameters_sha256());
}

#[test]
fn data_sets_that_lie() {
    let bytes = std::fs::read(file(MLP)).unwrap();
    // The lengths of the axes of the first kernel, `[4, 6]`.
    let axes = [4u64.to_le_bytes(), 6u64.to_le_bytes()].concat();
    let start = bytes.windows(16).position(|window| window == axes).unwrap();
    for length in [1_000_000_000_000_000, u64::MAX, 1 << 61] {
        let mut lie = bytes.clone();
        lie[start..start + 8].copy_from_slice(&u64::to_le_bytes(length));
        let error: FormatError = StateDict::from_keras(lie).unwrap_err();
        assert!(!error.problem.is_empty(), "{length}");
    }
    assert!(StateDict::from_keras(bytes).is_ok());
}

/// Sequences of which `keras_files.py` has the layers.
const EXTRA: [(&str, &[usize], &str); 2] = [
    (
        "nested",
        &[6],
        "dense(5) then sequential([dense(5), batch_norm]) then dense(5) then sequential([dense(4)]) then dropout(0.5) then dense(3)",
    ),
    (
        "signals",
        &[3, 12],
        "conv1d(4, 3) then conv_transpose1d(4, 2) then group_norm(2) then separable_conv1d(3, 2, bias=false) then \
         bidirectional(lstm(2, bias=false)) then batch_norm(affine=false) then dense(2)",
    ),
];

#[test]
fn files_go_to_a_real_keras_and_back() {
    let python = std::env::var("CHAINRULE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let imports =
        Command::new(&python).env("KERAS_BACKEND", "jax").args(["-c", "import keras, jax, h5py"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: {python} has not keras, jax and h5py; CHAINRULE_PYTHON names another Python");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |work: &str| {
        let mut script = Command::new(&python);
        let output = script.arg(file("keras_files.py")).arg(work).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let extra = |&(name, input, layers): &(&str, &[usize], &str), seed: u64| {
        let input = Shape::new(input).unwrap();
        (name.to_owned(), Model::<f32>::from_description(input, &layers.parse().unwrap(), seed).unwrap())
    };
    let models = |seed: u64| -> Vec<(String, Model<f32>)> {
        let own = cases().into_iter().map(|case| (case.name.clone(), case.model(seed)));
        own.chain(EXTRA.iter().map(|case| extra(case, seed))).collect()
    };
    run("write");
    for (name, mut model) in models(1) {
        let before = model.parameters_sha256();
        loaded(&folder.path().join(format!("{name}.weights.h5")), &mut model);
        assert_ne!(model.parameters_sha256(), before, "{name}");
        if let Ok(npz) = StateDict::read_npz(file(format!("keras/{name}.npz"))) {
            assert_eq!(StateDict::of(&model, Names::Keras), npz, "{name}");
        }
        // What Keras loads of it is what the script of the page finds then.
        let dict = StateDict::of(&model, Names::KerasFile);
        dict.write_keras(folder.path().join(format!("{name}.weights.h5"))).unwrap();
    }
    run("check");
    for (name, mut model) in models(2) {
        let npz = StateDict::read_npz(folder.path().join(format!("{name}.npz"))).unwrap();
        loaded(&folder.path().join(format!("{name}.weights.h5")), &mut model);
        // The script numbers the layers of the outermost sequence alone.
        let own = StateDict::of(&model, Names::Keras);
        if name != "nested" {
            assert_eq!(own, npz, "{name}");
        } else {
            assert_eq!(own.get("5.kernel"), npz.get("5.kernel"));
            assert_eq!(
                own.get("1.1.moving_variance"),
                npz.iter()
                    .map(|(_, tensor)| Some(tensor))
                    .find(|tensor| {
                        tensor.is_some_and(|tensor| {
                            tensor.shape() == [5] && Some(tensor) == own.get("1.1.moving_variance")
                        })
                    })
                    .flatten()
            );
        }
    }
}
