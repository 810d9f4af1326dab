//! Model files: what they describe, and those that deceive, with a right checksum, but other contents than a model's.

mod descriptions;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use chainrule_core::Sequential;
use chainrule_layers::{Dense, Relu};
use chainrule_tensor::{CountingAllocator, Seed};
use chainrule_train::file::{self, Contents};
use chainrule_train::{FileError, Model};
use sha2::{Digest, Sha256};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// The peak is of the whole program: one test at a time.
static MEASURED: Mutex<()> = Mutex::new(());

/// The version of the format that the program writes, and of the seeds of the fuzz targets.
const VERSION: u32 = 7;

/// A file with this payload, and the header that belongs to it.
fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"chainrul".to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(Sha256::digest(payload));
    bytes.extend(payload);
    bytes
}

/// The most memory that `work` takes at once.
fn peak<R>(work: impl FnOnce() -> R) -> (usize, R) {
    let before = ALLOCATOR.live();
    ALLOCATOR.restart_peak();
    let result = work();
    (ALLOCATOR.peak().saturating_sub(before), result)
}

/// Reads a file with this payload, whose memory must be bounded by its length.
fn read(path: &Path, payload: &[u8]) -> Result<Contents, FileError> {
    fs::write(path, sealed(payload)).unwrap();
    let (bytes, result) = peak(|| file::read(path));
    let bound = 16_384 + 8 * payload.len();
    assert!(bytes < bound, "{bytes} bytes for a payload of {}", payload.len());
    result
}

fn layers() -> Sequential<f32> {
    Sequential::new().then(Dense::new(4)).then(Relu).then(Dense::new(2))
}

fn good(path: &PathBuf) -> Contents {
    Model::new([3], layers(), Seed(1)).unwrap().save(path).unwrap();
    file::read(path).unwrap()
}

#[test]
fn memory_is_bounded_by_the_length_of_the_payload() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let contents = good(&path);
    let bytes = fs::read(&path).unwrap();
    let payload = &bytes[52..];
    assert_eq!(read(&path, payload).unwrap(), contents);
    // Lengths that claim more than there is, at every offset, among them that of the text that comes first.
    for claimed in [1 << 16, 1 << 30, 1 << 33, u64::MAX] {
        let text = [&claimed.to_le_bytes()[..], b"0123456789abcdef0123456789abcdef0123"].concat();
        assert_eq!(text.len(), 44);
        assert!(matches!(read(&path, &text), Err(FileError::Contents { .. })));
        for offset in 0..payload.len().min(400) {
            let mut changed = payload.to_vec();
            let end = payload.len().min(offset + 8);
            changed[offset..end].copy_from_slice(&claimed.to_le_bytes()[..end - offset]);
            // What is changed may be a number that is no length; then it is read as it is.
            let _ = read(&path, &changed);
        }
    }
    for length in 0..payload.len() {
        assert!(matches!(read(&path, &payload[..length]), Err(FileError::Contents { .. })), "{length}");
    }
    let longer = read(&path, &[payload, &[0]].concat()).unwrap_err();
    assert!(matches!(longer, FileError::Contents { .. }), "{longer}");
    assert!(longer.to_string().contains("checksum is right"), "{longer}");
}

/// The checksum of a file is known when all of it was read, so that damaged lengths are met before.
#[test]
fn a_damaged_length_takes_little_memory() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    Model::<f32>::new([2100], Sequential::new().then(Dense::new(2100)), Seed(1))
        .unwrap()
        .save(&path)
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 1 << 24);
    let names = bytes.windows(8).position(|found| found == b"0.weight").unwrap();
    let parameters = (names..).find(|&at| bytes[at..at + 8] == (2101u64 * 2100 * 4).to_le_bytes()).unwrap();
    // The lengths of the first text, of a name, of the parameters and of the description that follows them.
    let after = parameters + 8 + 2101 * 2100 * 4;
    for at in [52, names - 8, parameters, after + 4] {
        for bit in [4, 20, 24, 27, 28, 31, 33, 40, 63] {
            bytes[at + bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            let (taken, result) = peak(|| Model::<f32>::load(&path).map(drop));
            assert!(matches!(result, Err(FileError::Damaged { .. })), "byte {at}, bit {bit}: {result:?}");
            assert!(taken < 5 * bytes.len(), "byte {at}, bit {bit}: {taken} bytes");
            bytes[at + bit / 8] ^= 1 << (bit % 8);
        }
    }
    fs::write(&path, &bytes).unwrap();
    assert!(Model::<f32>::load(&path).is_ok());
}

#[test]
fn names_may_be_large_where_the_checksum_is_right() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let mut contents = good(&path);
    contents.entries[0].0 = "n".repeat((1 << 26) + 1);
    file::write(&path, &contents).unwrap();
    assert!(file::read(&path).unwrap() == contents);
}

#[test]
fn a_model_is_compared_before_there_is_memory_for_it() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let contents = good(&path);
    // Samples of 2^28 values: the first layer would have 4 GiB of weights.
    let wide = Contents { input: vec![1 << 28], ..contents.clone() };
    let many = Contents { input: vec![usize::MAX, usize::MAX, 7], ..contents.clone() };
    let deep = Contents { input: vec![1; 200], ..contents.clone() };
    let mut few = contents.clone();
    few.parameters.truncate(5);
    for deceit in [wide, many, deep, few] {
        file::write(&path, &deceit).unwrap();
        let (bytes, result) = peak(|| Model::load_into(&path, layers()));
        assert!(matches!(result, Err(FileError::Architecture { .. })), "{result:?}");
        assert!(bytes < 100_000, "{bytes} bytes");
    }
    file::write(&path, &contents).unwrap();
    assert_eq!(file::read(&path).unwrap(), contents);
    assert!(Model::load_into(&path, layers()).is_ok());
}

/// The weights are written from where they are, and read to where the model has them.
#[test]
fn a_model_has_its_weights_in_memory_once() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let model = Model::<f32>::new([2000], Sequential::new().then(Dense::new(2000)), Seed(1)).unwrap();
    let weights = size_of_val(model.parameters());
    let around = 3_000_000;
    assert!(around < weights / 4);
    let (bytes, result) = peak(|| model.save(&path));
    assert!(bytes < around, "{bytes} bytes to save {weights}: {result:?}");
    let written = fs::read(&path).unwrap();
    assert_eq!(written, sealed(&written[52..]));
    let (bytes, loaded) = peak(|| Model::<f32>::load(&path).unwrap());
    assert!(bytes < weights + around, "{bytes} bytes to load {weights}");
    assert_eq!(loaded.parameters(), model.parameters());
    let (bytes, double) = peak(|| Model::<f64>::load_converted(&path).unwrap());
    assert!(bytes < 2 * weights + around, "{bytes} bytes to load {weights} in double precision");
    assert!(
        double
            .parameters()
            .iter()
            .zip(model.parameters())
            .all(|(&double, &single)| double == f64::from(single))
    );
    // One that is damaged at its end is not taken for one.
    let last = written.len() - 1;
    fs::write(&path, [&written[..last], &[written[last] ^ 1]].concat()).unwrap();
    assert!(matches!(Model::<f32>::load(&path), Err(FileError::Damaged { .. })));
}

/// Few words can stand for many layers. What is built and planned is bounded by what the file lists.
#[test]
fn a_description_cannot_stand_for_more_layers_than_the_file_lists() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let contents = good(&path);
    let layers = "dense(units=4), relu, dense(units=2)";
    assert_eq!(contents.description.as_deref().map(|text| text.contains("units=4")), Some(true));
    let load = |description: &str| {
        let deceit = Contents { description: Some(description.to_owned()), ..contents.clone() };
        file::write(&path, &deceit).unwrap();
        let (bytes, result) = peak(|| Model::<f32>::load(&path));
        assert!(bytes < 2_000_000, "{bytes} bytes for {}", &description[..description.len().min(200)]);
        result.map(|model| model.describe().to_string())
    };
    assert!(load(&format!("sequential([{layers}])")).is_ok());

    // Each of these plans its layer twice, so that they would plan the inner one 2^50 times.
    let wrapped = |outer: &str, depth: usize| format!("{}dense(4){}", outer.repeat(depth), ")".repeat(depth));
    // A graph that applies a layer twice, which is such a graph, and so on.
    let twice = (0..40).fold("dense(3)".to_owned(), |layer, _| {
        format!("graph(nodes=[layer(a, {layer}, input), shared(b, a, [a])], outputs=[b])")
    });
    for description in [wrapped("weight_norm(", 50), twice] {
        let error = load(&description).unwrap_err();
        assert!(matches!(error, FileError::Architecture { .. } | FileError::Layers { .. }), "{error}");
    }
    // What cannot be built is refused before anything is planned.
    for description in [
        &*wrapped("residual(", 100),
        &wrapped("[", 100_000),
        "no_such_layer(3)",
        "lambda(square)",
        "dense(units=-1)",
        "dense(units=99999999999999999999999999)",
        "dense",
        "",
    ] {
        let error = load(description).unwrap_err();
        assert!(matches!(error, FileError::Layers { .. }), "{error}");
    }
    // Other layers than those that the parameters are of.
    for description in
        ["dense(4) then relu", "dense(5) then relu then dense(2)", "dense(4) then tanh then tanh"]
    {
        let error = load(description).unwrap_err();
        assert!(matches!(error, FileError::Architecture { .. }), "{error}");
    }
    // Samples of 2^28 values: the first layer would have 4 GiB of weights.
    let wide = Contents { input: vec![1 << 28], ..contents.clone() };
    file::write(&path, &wide).unwrap();
    let (bytes, result) = peak(|| Model::<f32>::load(&path));
    assert!(matches!(result, Err(FileError::Architecture { .. })), "{result:?}");
    assert!(bytes < 2_000_000, "{bytes} bytes");
}

/// The payloads that fuzzing starts from, among them every one that has failed.
#[test]
fn seeds_of_the_fuzz_targets() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    if !fuzz.is_dir() {
        return; // A package of this crate does not contain them.
    }
    let mut read_well = 0;
    for entry in fs::read_dir(fuzz.join("seeds/sealed_model")).unwrap() {
        let payload = fs::read(entry.unwrap().path()).unwrap();
        let Ok(contents) = read(&path, &payload) else { continue };
        read_well += 1;
        let _ = Model::load_into(&path, layers());
        let _ = Model::<f32>::load(&path);
        file::write(&path, &contents).unwrap();
        // As texts, since a sum of losses may be NaN.
        assert_eq!(format!("{:?}", file::read(&path).unwrap()), format!("{contents:?}"));
    }
    assert!(read_well > 0, "none is of the current version: see fuzz/examples/seeds.rs");
    for entry in fs::read_dir(fuzz.join("seeds/model")).unwrap() {
        let _ = Model::load_into(entry.unwrap().path(), layers());
    }
}
