//! Files that were made to do harm.

use chainrule_interop::{FormatError, StateDict, WeightFileError};

use crate::file;

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

#[test]
fn a_zip_bomb_is_not_unpacked() {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("a.npy", options).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..100).for_each(|_| zip.write_all(&zeros).unwrap());
    let bytes = zip.finish().unwrap().into_inner();
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    assert!(problem(StateDict::from_npz(&bytes)).contains("far more"));
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
