//! What readers do with files that are damaged, or lie.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use chainrule_data::csv::{Column, Csv, CsvError};
use chainrule_data::idx::{self, Idx, IdxError, Problem};
use chainrule_data::{Dataset, Images, ImagesError, Rows, Samples, Subset, digits};
use chainrule_tensor::Seed;
use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;

/// An IDX file of these axes and values.
fn idx_bytes(axes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, axes.len() as u8];
    axes.iter().for_each(|axis| bytes.extend(axis.to_be_bytes()));
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(directory: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn problem(bytes: &[u8]) -> Problem {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "some-file", bytes);
    let error = idx::read(&path).unwrap_err();
    assert!(error.to_string().contains("some-file"), "{error}");
    match error {
        IdxError::File { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn plain_and_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = idx_bytes(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    for (name, bytes) in [("plain", bytes.clone()), ("compressed", gzip(&bytes))] {
        let idx = idx::read(&file(&directory, name, &bytes)).unwrap();
        assert_eq!(idx, Idx { axes: vec![2, 1, 3], values: vec![1, 2, 3, 4, 5, 6] });
        let copy = directory.path().join("copy");
        idx::write(&copy, &idx).unwrap();
        assert_eq!(idx::read(&copy).unwrap(), idx);
    }
}

#[test]
fn nothing_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "old", b"what was there");
    let problem = |axes: &[usize], values: usize| match idx::write(
        &path,
        &Idx { axes: axes.to_vec(), values: vec![0; values] },
    )
    .unwrap_err()
    {
        IdxError::File { problem, .. } => problem,
        other => panic!("{other}"),
    };
    assert!(matches!(problem(&[2, 3], 5), Problem::Short { size: 6, found: 5, .. }));
    assert!(matches!(problem(&[2, 3], 7), Problem::Long { size: 6, .. }));
    assert!(matches!(problem(&[usize::MAX, 2], 7), Problem::Overflow(_)));
    assert!(matches!(problem(&[0, usize::MAX], 0), Problem::Overflow(_)));
    assert_eq!(fs::read(&path).unwrap(), b"what was there");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let nowhere = idx::write(&path.join("below"), &Idx { axes: vec![0], values: vec![] }).unwrap_err();
    assert!(nowhere.to_string().contains("below"), "{nowhere}");
}

#[test]
#[cfg(unix)]
fn a_written_file_has_the_permissions_of_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("written");
    idx::write(&path, &Idx { axes: vec![1], values: vec![0] }).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&file(&directory, "other", b"")));
}

#[test]
fn damaged_and_lying_files() {
    let good = idx_bytes(&[2, 2, 2], &[7; 8]);
    assert!(matches!(problem(b"hello, world"), Problem::Magic(_)));
    assert!(matches!(problem(&[]), Problem::Header));
    assert!(matches!(problem(&good[..9]), Problem::Header));
    assert!(matches!(problem(&good[..20]), Problem::Short { size: 8, found: 4, .. }));
    assert!(matches!(problem(&[&good[..], &[0]].concat()), Problem::Long { size: 8, .. }));
    assert!(matches!(problem(&[&[0, 0, 13][..], &good[3..]].concat()), Problem::Kind(13)));
    // An image may be larger than any memory where there is none of it.
    let directory = tempfile::tempdir().unwrap();
    let hollow = file(&directory, "hollow", &idx_bytes(&[0, u32::MAX, u32::MAX], &[]));
    let labels = file(&directory, "labels", &idx_bytes(&[0], &[]));
    assert!(idx::read_images(&hollow, &labels, 10).is_err());
    // 2^96 bytes, and 2^62, of which memory must not be asked for.
    assert!(matches!(problem(&idx_bytes(&[u32::MAX; 3], &[1])), Problem::Overflow(_)));
    assert!(matches!(problem(&idx_bytes(&[1 << 31, 1 << 31], &[1])), Problem::Short { found: 1, .. }));
    assert!(matches!(problem(&gzip(&idx_bytes(&[1 << 31, 1 << 31], &[1]))), Problem::Short { found: 1, .. }));
    let compressed = gzip(&good);
    assert!(matches!(problem(&compressed[..compressed.len() - 6]), Problem::Gzip(_)));
    let mut flipped = gzip(&idx_bytes(&[4096], &[3; 4096]));
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    assert!(matches!(problem(&flipped), Problem::Gzip(_)));
    assert!(matches!(
        idx::read(Path::new("/no/such/file")).unwrap_err(),
        IdxError::File { problem: Problem::Io(_), .. }
    ));
}

#[test]
fn images_and_labels_must_fit() {
    let directory = tempfile::tempdir().unwrap();
    let images = file(&directory, "images", &idx_bytes(&[2, 2, 2], &[7; 8]));
    let read = |labels: &[u8]| {
        let labels = file(&directory, "labels", &idx_bytes(&[labels.len() as u32], labels));
        idx::read_images(&images, &labels, 10)
    };
    assert_eq!(read(&[3, 9]).unwrap().labels(), [3, 9]);
    let pair = |labels: &[u8]| match read(labels).unwrap_err() {
        IdxError::Pair { source, .. } => source,
        other => panic!("{other}"),
    };
    assert_eq!(pair(&[1, 2, 3]), ImagesError::Counts { images: 2, labels: 3 });
    assert_eq!(pair(&[1, 10]), ImagesError::Label { index: 1, label: 10, classes: 10 });
    assert_eq!(pair(&[]), ImagesError::Empty);
    let exchanged = idx::read_images(&images, &images, 10).unwrap_err().to_string();
    assert!(exchanged.contains("exchanged"), "{exchanged}");
}

/// EMNIST's images lie on their side in its files.
#[test]
fn emnist_stands_upright() {
    let directory = tempfile::tempdir().unwrap();
    for (set, count) in [("train", 2u8), ("test", 1)] {
        let pixels: Vec<u8> = (0..6 * count).collect();
        let labels: Vec<u8> = (0..count).map(|label| 46 - label).collect();
        let name = |kind: &str| format!("emnist-balanced-{set}-{kind}-ubyte");
        file(&directory, &name("images-idx3"), &idx_bytes(&[count.into(), 2, 3], &pixels));
        file(&directory, &format!("{}.gz", name("labels-idx1")), &gzip(&idx_bytes(&[count.into()], &labels)));
    }
    assert!(idx::is_idx(directory.path()) && !idx::is_mnist(directory.path()));
    let (train, test) = Images::idx(directory.path()).unwrap();
    assert_eq!((train.count(), train.classes(), train.labels()), (2, 47, &[46, 45][..]));
    assert_eq!(train.image_shape(), [3, 2].into());
    assert_eq!((train.pixels(1), test.pixels(0)), (&[6, 9, 7, 10, 8, 11][..], &[0, 3, 1, 4, 2, 5][..]));
    assert_eq!(Images::idx_test(directory.path(), 47).unwrap(), test);
    assert_eq!(Images::emnist(directory.path()).unwrap(), (train, test));
    // Where one file is missing, it is named, not those of MNIST.
    fs::remove_file(directory.path().join("emnist-balanced-test-images-idx3-ubyte")).unwrap();
    let missing = [
        Images::idx(directory.path()).map(|_| ()).unwrap_err(),
        Images::idx_test(directory.path(), 47).map(|_| ()).unwrap_err(),
    ];
    for error in missing.map(|error| error.to_string()) {
        assert!(error.contains("emnist-balanced-test-images-idx3-ubyte"), "{error}");
    }
    // MNIST is no EMNIST, and is read first where both are.
    for set in ["train", "t10k"] {
        file(&directory, &format!("{set}-images-idx3-ubyte"), &idx_bytes(&[1, 2, 2], &[5; 4]));
        file(&directory, &format!("{set}-labels-idx1-ubyte"), &idx_bytes(&[1], &[8]));
    }
    assert!(idx::is_mnist(directory.path()) && !idx::is_emnist(directory.path()));
    assert!(Images::emnist(directory.path()).is_err());
    file(&directory, "emnist-balanced-test-images-idx3-ubyte", &idx_bytes(&[1, 2, 3], &[0; 6]));
    assert!(idx::is_emnist(directory.path()));
    assert_eq!(Images::idx(directory.path()).unwrap().0.labels(), [8]);
    assert_eq!(Images::idx_test(directory.path(), 10).unwrap().labels(), [8]);
}

#[test]
fn mnist_under_each_name() {
    let images = idx_bytes(&[1, 28, 28], &[9; 784]);
    let labels = idx_bytes(&[1], &[4]);
    for (dot, compressed) in [("-", true), ("-", false), (".", true), (".", false)] {
        let directory = tempfile::tempdir().unwrap();
        let ending = if compressed { ".gz" } else { "" };
        for set in ["train", "t10k"] {
            for (kind, bytes) in [("images", &images), ("labels", &labels)] {
                let rank = if kind == "images" { 3 } else { 1 };
                let bytes = if compressed { gzip(bytes) } else { bytes.clone() };
                file(&directory, &format!("{set}-{kind}{dot}idx{rank}-ubyte{ending}"), &bytes);
            }
        }
        let (train, test) = Images::mnist(directory.path()).unwrap();
        assert_eq!((train.count(), test.labels()), (1, &[4][..]));
        fs::remove_file(directory.path().join(format!("t10k-labels{dot}idx1-ubyte{ending}"))).unwrap();
        assert!(!idx::is_mnist(directory.path()));
        let error = Images::mnist(directory.path()).unwrap_err().to_string();
        for name in ["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte.gz"] {
            assert!(error.contains(name), "{error}");
        }
    }
}

#[test]
fn training_and_test_images_of_one_size() {
    let directory = tempfile::tempdir().unwrap();
    file(&directory, "train-images-idx3-ubyte", &idx_bytes(&[1, 2, 3], &[9; 6]));
    file(&directory, "t10k-images-idx3-ubyte", &idx_bytes(&[1, 3, 2], &[9; 6]));
    for name in ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"] {
        file(&directory, name, &idx_bytes(&[1], &[0]));
    }
    let error = Images::mnist(directory.path()).unwrap_err().to_string();
    assert!(error.contains("t10k-images") && error.contains("[3, 2]"), "{error}");
}

#[test]
fn tables() {
    let directory = tempfile::tempdir().unwrap();
    let csv = |text: &str| Csv::new(file(&directory, "table.csv", text.as_bytes()));
    let rows = csv("a,b,t\n1,2,3\n4, 5 ,6\n").numbers::<f64>().unwrap();
    assert_eq!(rows.samples(), &ndarray::array![[1.0, 2.0], [4.0, 5.0]]);
    assert_eq!(rows.targets(), [[3.0], [6.0]]);
    let (rows, names) =
        csv("1,x,2\n3,y,4\n").without_header().target(Column::Index(1)).classes::<f32>().unwrap();
    assert_eq!((rows.targets(), names), (&[0, 1][..], vec!["x".to_owned(), "y".to_owned()]));
    let error = csv("a,b\n1,2\n1,oops\n").numbers::<f64>().unwrap_err();
    assert!(matches!(&error, CsvError::Number { line: 3, column: 2, .. }), "{error}");
    assert!(matches!(csv("a,b\n1,NaN\n").numbers::<f64>(), Err(CsvError::Number { .. })));
    assert!(matches!(csv("a,b\n1e300,1\n").numbers::<f32>(), Err(CsvError::Number { column: 1, .. })));
    assert!(matches!(csv("a,b\n,1\n").numbers::<f32>(), Err(CsvError::Number { column: 1, .. })));
    let error = csv("a,b\n1,2\n1,2,3\n").numbers::<f64>().unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(matches!(error, CsvError::Line { .. }) && cause.contains("line: 3"), "{error}: {cause}");
    let error = Csv::new("/no/such/table.csv").numbers::<f64>().unwrap_err();
    assert!(matches!(error, CsvError::Io { .. }) && error.to_string().contains("table.csv"), "{error}");
    assert!(matches!(csv("a,b\n").numbers::<f64>(), Err(CsvError::Empty { .. })));
    let missing = csv("a,b\n1,2\n").target(Column::Name("c".into())).numbers::<f64>().unwrap_err();
    assert!(missing.to_string().contains("a, b"), "{missing}");
    assert!(matches!(
        csv("a,b\n1,2\n").target(Column::Index(2)).numbers::<f64>(),
        Err(CsvError::Column { .. })
    ));
}

/// A file of several blocks, which are read on all cores up to one that is unusual.
#[test]
fn tables_of_many_rows() {
    let directory = tempfile::tempdir().unwrap();
    let rows = 60_000;
    let value =
        |row: usize, column: usize| format!("{}.{:06}", row % 211, (row * 31 + column * 7919) % 1_000_000);
    let class = |row: usize| format!("kind {}", row * row % 97 % 23);
    let line = |row: usize| format!("{},{},{}", value(row, 0), class(row), value(row, 1));
    let mut names: Vec<String> = Vec::new();
    let mut right = Vec::new();
    for row in 0..rows {
        right.extend([0, 1].map(|column| value(row, column).parse::<f32>().unwrap()));
        if !names.contains(&class(row)) {
            names.push(class(row));
        }
    }
    let numbers: Vec<u32> =
        (0..rows).map(|row| names.iter().position(|name| *name == class(row)).unwrap() as u32).collect();
    let last = 55_555;
    type Change<'a> = &'a dyn Fn(usize, String) -> String;
    let changes: [(&str, Change<'_>); 7] = [
        ("plain", &|_, line| line + "\n"),
        ("two bytes", &|_, line| line + "\r\n"),
        ("without an end", &|row, line| line + if row + 1 == rows { "" } else { "\n" }),
        ("other ends", &|row, line| line + if row % 3 == 0 { "\r\n" } else { "\n" }),
        ("blank lines", &|row, line| line + if row > last { "\n\n" } else { "\n" }),
        ("quotes", &|row, line| {
            if row == last { format!("\"{}\"\n", line.replace(',', "\",\"")) } else { line + "\n" }
        }),
        ("blanks", &|row, line| {
            if row > last { format!(" {}\n", line.replace(',', " , ")) } else { line + "\n" }
        }),
    ];
    for (what, change) in changes {
        let text: String = (0..rows).map(|row| change(row, line(row))).collect();
        let csv = Csv::new(file(&directory, "table.csv", format!("a,kind,b\n{text}").as_bytes()));
        let (found, found_names) = csv.target(Column::Name("kind".into())).classes::<f32>().unwrap();
        assert_eq!(found_names, names, "{what}");
        assert!(found.targets() == numbers, "{what}");
        assert!(found.samples().iter().eq(&right), "{what}");
    }
    let wrong: [(&str, &str); 4] = [
        ("7,kind 1,oops", "line 55557, column 3: \"oops\""),
        ("7,kind 99,8", "line 55557, column 2: \"kind 99\" is not a class"),
        ("7,kind 1,8,9", "line: 55557"),
        ("7,kind \u{fffd},8", "record 55556 (line 55557"),
    ];
    // Also in the first row of the second block, which has up to 2^19 bytes after the first row.
    let length = |row: usize, end: &str| line(row).len() + end.len();
    let first = |end: &str| {
        let mut room = 1 << 19;
        (1..).find(|&row| {
            let fits = length(row, end) <= room;
            room = room.saturating_sub(length(row, end));
            !fits
        })
    };
    type End<'a> = &'a dyn Fn(usize) -> &'static str;
    let ends: [End<'_>; 3] = [&|_| "\n", &|_| "\r\n", &|row| if row % 3 == 0 { "\r\n" } else { "\n" }];
    for end in ends {
        for last in [last, first(end(1)).unwrap(), first(end(1)).unwrap() + 1] {
            for (bad, message) in wrong {
                let text: String = (0..rows)
                    .map(|row| if row == last { bad.to_owned() } else { line(row) } + end(row))
                    .collect();
                let mut bytes = format!("a,kind,b{}{text}", end(0)).into_bytes();
                bytes.iter_mut().filter(|byte| **byte == 0xef).for_each(|byte| *byte = 0xff);
                let csv = Csv::new(file(&directory, "table.csv", &bytes)).target(Column::Name("kind".into()));
                let error = csv.known_classes::<f32>(&names).unwrap_err();
                let found = format!("{error}: {:?}", error.source().map(ToString::to_string));
                // The reader's own errors are in the line in which the record before ends, if that has two bytes at its end.
                let two = error.source().is_some() && end(last - 1) == "\r\n";
                let message = message
                    .replace("55557", &(last + 2 - usize::from(two)).to_string())
                    .replace("55556", &(last + 1).to_string());
                assert!(found.contains(&message), "{found}: {message}");
            }
        }
    }
}

#[test]
fn classes_that_are_known_before() {
    let directory = tempfile::tempdir().unwrap();
    let csv = |text: &str| Csv::new(file(&directory, "table.csv", text.as_bytes()));
    let rows = csv("v;kind\n1;b\n2;a\n").delimiter(b';').known_classes::<f32>(&["a", "b"]).unwrap();
    assert_eq!(rows.targets(), [1, 0]);
    let error = csv("v,kind\n1,b\n2,c\n").known_classes::<f32>(&["a", "b"]).unwrap_err();
    assert!(matches!(error, CsvError::Class { line: 3, column: 2, .. }), "{error}");
    assert_eq!(csv("v,t\n1,7\n2,0\n").numbered_classes::<f32>(8).unwrap().targets(), [7, 0]);
    for bad in ["8", "-1", "1.5", ""] {
        let error = csv(&format!("v,t\n1,7\n2,{bad}\n")).numbered_classes::<f32>(8).unwrap_err();
        assert!(matches!(error, CsvError::Class { line: 3, column: 2, .. }), "{error}");
    }
}

#[test]
fn targets_of_several_columns() {
    let directory = tempfile::tempdir().unwrap();
    let csv = Csv::new(file(&directory, "table.csv", b"a,b,c,d\n1,2,3,4\n5,6,7,8\n"));
    let rows = csv.vectors::<f32>(&[Column::Last, Column::Name("b".into())]).unwrap();
    assert_eq!(rows.samples(), &ndarray::array![[1.0, 3.0], [5.0, 7.0]]);
    assert_eq!(
        rows.targets().iter().map(|target| target.to_vec()).collect::<Vec<_>>(),
        [[4.0, 2.0], [8.0, 6.0]]
    );
    let all = [0, 1, 2, 3].map(Column::Index);
    assert!(matches!(csv.vectors::<f32>(&all), Err(CsvError::Empty { .. })));
}

#[test]
fn parts_of_rows() {
    // In the order of columns in memory, and with rows of several pages.
    let columns = 2000;
    let samples = ndarray::Array2::from_shape_fn((columns, 3), |(column, row)| (column * 10 + row) as f32);
    let rows = Rows::new(samples.reversed_axes(), vec!['a', 'b', 'c']).unwrap();
    let mut whole = vec![0.0; columns];
    let mut scratch = vec![-1.0; columns];
    for (index, target) in ['a', 'b', 'c'].into_iter().enumerate() {
        assert_eq!(rows.read(index, &mut whole), target);
        assert!(whole.iter().enumerate().all(|(column, &value)| value == (column * 10 + index) as f32));
        for part in [0..columns, 3..3, 5..1999, 1999..2000] {
            rows.prefetch(index, part.clone());
            let mut values = vec![0.0; part.len()];
            assert_eq!(rows.read_part(index, part.clone(), &mut values, &mut scratch), target);
            assert_eq!(values, whole[part]);
        }
    }
}

#[test]
fn subsets() {
    let images = digits(50, Seed(1));
    let first = Subset::first(&images, 7);
    assert_eq!(first.len(), 7);
    let (train, held_out) = Subset::split(&images, 0.2, Seed(2)).unwrap();
    assert_eq!((train.len(), held_out.len()), (40, 10));
    let mut both = [train.indices(), held_out.indices()].concat();
    both.sort_unstable();
    assert_eq!(both, (0..50).collect::<Vec<_>>());
    let mut row = vec![0.0f32; 784];
    assert_eq!(held_out.read(3, &mut row), images.labels()[held_out.indices()[3]]);
    assert_eq!(first.classes(), Some(10));
    let error = Subset::new(&images, vec![0, 50]).unwrap_err().to_string();
    assert!(error.contains("50"), "{error}");
    assert!(Rows::<f32, u8>::new(ndarray::Array2::zeros((3, 1)), vec![0; 2]).is_err());
}
