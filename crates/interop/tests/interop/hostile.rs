//! Files that were made to do harm.

use std::io::Write as _;

use chainrule_interop::{FormatError, OnnxModel, OnnxReadError, StateDict, WeightFileError};

use crate::file;
use crate::graphs::{constant, field, node, onnx, varint};

fn problem<T: std::fmt::Debug>(result: Result<T, FormatError>) -> String {
    result.unwrap_err().to_string()
}

/// What is wrong with a file beside the tests.
fn problem_of(name: &str) -> String {
    match StateDict::read_pytorch(file(format!("pytorch/{name}"))) {
        Err(WeightFileError::Format { source, .. }) => source.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

/// A safetensors file with this header and this many zeros.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn safetensors_that_lie() {
    let tensor = |name: &str, shape: &str, offsets: &str| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}")
    };
    let two = |second: String| format!("{{{},{second}}}", tensor("a", "[2]", "[0,8]"));
    for length in [9u64, 1_000_000_000_000_000, u64::MAX] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert!(problem(StateDict::from_safetensors(bytes)).contains("safetensors"));
    }
    for (header, data) in [
        (two(tensor("b", "[2]", "[4,12]")), 12),
        (two(tensor("b", "[2]", "[0,8]")), 8),
        (two(tensor("b", "[2]", "[16,24]")), 24),
        (two(tensor("b", "[3]", "[8,16]")), 16),
        (two(tensor("b", "[2]", "[8,16]")), 17),
        (two(tensor("b", "[4611686018427387904,4]", "[8,8]")), 8),
        (two(tensor("b", "[1]", "[8,4]")), 8),
        (two(tensor("b", "[1000000000000000]", "[8,4000000000000008]")), 8),
        ("[".repeat(100_000), 0),
        (String::new(), 0),
    ] {
        assert!(StateDict::from_safetensors(safetensors(&header, data)).is_err(), "{header:.200}");
    }
    // One name twice, for the same bytes, and for bytes of its own.
    for (offsets, data) in [("[0,8]", 8), ("[8,16]", 16)] {
        let message =
            problem(StateDict::from_safetensors(safetensors(&two(tensor("a", "[2]", offsets)), data)));
        assert!(message.contains("\"a\"") || message.contains("offset"), "{message}");
    }
    let unknown = two(tensor("b", "[2]", "[8,10]").replace("F32", "F8_E4M3"));
    assert!(problem(StateDict::from_safetensors(safetensors(&unknown, 10))).contains("F8_E4M3"));
    assert!(StateDict::from_safetensors(safetensors(&two(tensor("b", "[2]", "[8,16]")), 16)).is_ok());
}

#[test]
fn pickles_run_nothing() {
    for name in ["evil.pt", "evil legacy.pt", "os.system.pt"] {
        let message = problem_of(name);
        assert!(message.contains("names posix.system"), "{message}");
    }
    assert!(problem_of("whole module.pt").contains("names torch.nn.modules.linear.Linear"));
    assert!(problem_of("expanded.pt").contains("repeats its elements"));
    assert!(!std::path::Path::new("chainrule-was-here").exists());
}

#[test]
fn every_cut_and_every_change_of_a_byte_is_an_error_or_harmless() {
    for name in
        ["mlp.pt", "mlp legacy.pt", "mlp.safetensors", "mlp compressed.npz", "mlp float16.safetensors"]
    {
        let bytes = std::fs::read(file(format!("pytorch/{name}"))).unwrap();
        let read = |bytes: Vec<u8>| {
            if name.ends_with("safetensors") {
                StateDict::from_safetensors(bytes)
            } else if name.ends_with("npz") {
                StateDict::from_npz(&bytes)
            } else {
                StateDict::from_pytorch(&bytes)
            }
        };
        let size = read(bytes.clone()).unwrap().len();
        for length in 0..bytes.len() {
            assert!(read(bytes[..length].to_vec()).is_err(), "{name}: {length} bytes");
        }
        for index in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[index] ^= change;
                assert!(read(changed).map_or(0, |dict| dict.len()) <= size, "{name}: byte {index}");
            }
        }
    }
}

/// A zip archive with these members, compressed.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Where these bytes are in others.
fn positions(bytes: &[u8], part: &[u8]) -> Vec<usize> {
    let at = |start: &usize| bytes[*start..].starts_with(part);
    (0..bytes.len()).filter(at).collect()
}

#[test]
fn a_zip_bomb_is_not_unpacked() {
    let zeros = vec![0; 100 << 20];
    let refused = |members: &[(&str, &[u8])], read: fn(&[u8]) -> Result<StateDict, FormatError>| {
        let bytes = archive(members);
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
        let message = problem(read(&bytes));
        assert!(message.contains("far more"), "{message}");
    };
    refused(&[("a.npy", &zeros)], StateDict::from_npz);
    // The program, or a storage that it names.
    refused(&[("a/data.pkl", &zeros)], StateDict::from_pytorch);
    let program =
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ.";
    refused(&[("a/data.pkl", program), ("a/data/0", &zeros)], StateDict::from_pytorch);
    // Many members, each of which is not too large.
    let some = vec![0; 1 << 20];
    let names: Vec<String> = (0..100).map(|index| format!("{index}.npy")).collect();
    let header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1048576,)}";
    let array = [b"\x93NUMPY\x01\x00", &[header.len() as u8, 0][..], header, &some].concat();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &*array)).collect();
    assert_eq!(StateDict::from_npz(&archive(&members[..2])).unwrap().len(), 2, "two of them are no bomb");
    refused(&members, StateDict::from_npz);
}

#[test]
fn members_of_an_archive_that_are_one() {
    let tensor = StateDict::read_npz(file("pytorch/mlp.npz")).unwrap().get("0.bias").unwrap().clone();
    let bytes = StateDict::from_iter([("a", tensor.clone()), ("b", tensor)]).to_npz().unwrap();
    assert_eq!(StateDict::from_npz(&bytes).unwrap().len(), 2);
    // The second is called as the first.
    let mut repeated = bytes.clone();
    for start in positions(&bytes, b"b.npy") {
        repeated[start] = b'a';
    }
    let message = problem(StateDict::from_npz(&repeated));
    assert!(message.contains("same name"), "{message}");
    // The second is where the first is.
    let mut shared = bytes.clone();
    let &[_, second] = &*positions(&bytes, b"PK\x01\x02") else { panic!("there are two members") };
    shared[second + 42..second + 46].fill(0);
    let message = problem(StateDict::from_npz(&shared));
    assert!(message.contains("share bytes"), "{message}");
}

#[test]
fn pickles_that_are_deep_or_repeat_themselves() {
    let read = |program: &[u8]| problem(StateDict::from_pytorch(&archive(&[("a/data.pkl", program)])));
    let tensor = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01\
                   tQK\x00(K\x01t(K\x01ttR";
    let whole =
        |program: &[u8]| StateDict::from_pytorch(&archive(&[("a/data.pkl", program), ("a/data/0", &[0; 4])]));
    let named = [&b"}X\x01\x00\x00\x00a"[..], tensor, b"s."].concat();
    assert_eq!(whole(&named).unwrap().names().collect::<Vec<_>>(), ["a"]);
    // One key twice.
    let twice = [&b"}(X\x01\x00\x00\x00a"[..], tensor, b"X\x01\x00\x00\x00a", tensor, b"u."].concat();
    assert!(problem(whole(&twice)).contains("two tensors with the name \"a\""));
    // Lists in lists, dictionaries in dictionaries, and one that is in itself.
    let lists = [b"]".repeat(100_000), b"a".repeat(99_999), b".".to_vec()].concat();
    assert!(read(&lists).contains("deep"));
    let dicts = [b"}K\x00".repeat(100_000), b"N".to_vec(), b"s".repeat(100_000), b".".to_vec()].concat();
    assert!(read(&dicts).contains("deep"));
    assert!(read(b"]q\x00h\x00a.").contains("far more often"));
    // Lists of ten times the one before: 10^30 objects.
    let doubled: Vec<u8> = (0..30)
        .flat_map(|level| [&b"("[..], &[b'h', level].repeat(10), b"lq", &[level + 1]].concat())
        .collect();
    assert!(read(&[b"Nq\x00", &doubled[..], b"."].concat()).contains("far more often"));
    // More bytes than any file has.
    for length in [1_000_000_000_000_000u64, u64::MAX] {
        assert!(read(&[b"\x8d", &length.to_le_bytes()[..], b"a."].concat()).contains("ends within"));
    }
    let storage = |count: u64| {
        let legacy = std::fs::read(file("pytorch/mlp legacy.pt")).unwrap();
        // The first storage begins after the list of all keys, with its number of elements.
        let start = positions(&legacy, b"e.").last().unwrap() + 2;
        [&legacy[..start], &count.to_le_bytes()[..], &legacy[start + 8..]].concat()
    };
    for count in [1_000_000_000_000_000, u64::MAX] {
        let message = problem(StateDict::from_pytorch(&storage(count)));
        assert!(message.contains("ends within its storages"), "{message}");
    }
}

#[test]
fn graphs_that_lie() {
    let read = |parts: &[Vec<u8>]| OnnxModel::from_bytes(&onnx(parts));
    let whole = [constant("w", &[4, 3], 12), node("MatMul", &["x", "w"], "y")];
    assert_eq!(read(&whole).unwrap().weights().len(), 1);
    let refused = |parts: &[Vec<u8>], part: &str| {
        let message = read(parts).unwrap_err().to_string();
        assert!(message.contains(part), "{part}: {message}");
    };
    refused(&[constant("w", &[1_000_000_000_000_000], 12), whole[1].clone()], "48 bytes");
    refused(&[constant("w", &[1 << 62, 1 << 62], 12), whole[1].clone()], "48 bytes");
    refused(&[constant("w", &[u64::MAX, 3], 12), whole[1].clone()], "negative");
    refused(&[constant("w", &[1; 65], 1), whole[1].clone()], "axes");
    refused(&[whole[0].clone(), whole[0].clone(), whole[1].clone()], "two constants are called \"w\"");
    refused(&[whole[0].clone(), whole[1].clone(), whole[1].clone()], "computed twice");
    refused(&[node("Relu", &["y"], "y")], "not known");
    refused(&[node("Relu", &["z"], "y"), node("Relu", &["y"], "z")], "not known");
    // A field that is longer than the file, and messages in messages.
    for length in [1_000_000_000_000_000, u64::MAX >> 1] {
        let bytes = [&[7 << 3 | 2][..], &varint(length), b"x"].concat();
        assert!(matches!(OnnxModel::from_bytes(&bytes), Err(OnnxReadError::Format { .. })));
    }
    let groups = vec![15 << 3 | 3; 100_000];
    assert!(matches!(OnnxModel::from_bytes(&groups), Err(OnnxReadError::Format { .. })));
    let nested = (0..10_000)
        .fold(Vec::new(), |inside, _| if inside.len() < 1 << 16 { field(7, &inside) } else { inside });
    assert!(matches!(OnnxModel::from_bytes(&nested), Err(OnnxReadError::Format { .. })));
    // Many nodes with one large weight take the memory of one: as long as it is not a model.
    let nodes: Vec<Vec<u8>> = (0..20_000)
        .map(|index| match index {
            0 => node("Gemm", &["x", "w"], "h0"),
            _ => node("Gemm", &[&format!("h{}", index - 1), "w"], &format!("h{index}")),
        })
        .collect();
    let square =
        [constant("w", &[4, 4], 16)].into_iter().chain(nodes).chain([node("Relu", &["h19999"], "y")]);
    assert_eq!(read(&square.collect::<Vec<_>>()).unwrap().weights().len(), 20_000);
}

#[test]
fn numpy_objects_are_not_unpickled() {
    let error = StateDict::read_npz(file("pytorch/objects.npz")).unwrap_err();
    let WeightFileError::Format { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("run code"), "{source}");
}

#[test]
fn what_is_no_file_of_a_format_is_an_error() {
    for bytes in [&b""[..], b"PK", b"PK\x03\x04", b"\x80\x02.", b"hello, world", &[0; 64]] {
        assert!(StateDict::from_pytorch(bytes).is_err());
        assert!(StateDict::from_npz(bytes).is_err());
        assert!(StateDict::from_safetensors(bytes.to_vec()).is_err());
    }
    let missing = StateDict::read_safetensors(file("nothing")).unwrap_err();
    assert!(matches!(missing, WeightFileError::Io { doing: "read", .. }));
}
