//! Classes that count more than others.

use crate::{file, refused, trained};

const TABLE: &str = r#"
loss = "cross_entropy"
metrics = ["recall(average=none)"]
optimizer = "adam(lr=0.02)"
epochs = 60
audit = false
class_weights = "balanced"
[data]
table = "a.csv"
target = "kind"
[model]
layers = ["dense(2)"]
"#;

/// 190 of a frequent kind and 10 of a rare one, whose numbers overlap.
fn kinds() -> tempfile::TempDir {
    let mut rng = chainrule::tensor::Seed(4).rng();
    let row = |row: usize| match row % 20 {
        0 => format!("{},rare\n", 1.0 + rng.normal()),
        _ => format!("{},frequent\n", rng.normal()),
    };
    file("a.csv", &format!("size,kind\n{}", (0..200).map(row).collect::<String>()))
}

/// How many of the frequent and the rare kind are found, and the loss of the training.
fn found(changes: &[&str]) -> ([u64; 2], f64) {
    let trained = trained(TABLE, kinds().path(), changes).unwrap();
    let confusion = trained.train.confusion.unwrap();
    ([confusion[0][0], confusion[1][1]], trained.train.scores.loss)
}

#[test]
fn a_rare_class_is_found_where_it_counts() {
    let plain = |loss: &str| found(&[&format!("class_weights={loss}")]).0;
    let even = plain("{ rare = 1 }");
    assert_eq!(even, [190, 0], "so few are not worth a mistake");
    let (balanced, loss) = found(&[]);
    assert!(balanced[1] >= 5 && balanced[0] > 120, "{balanced:?}");
    // n / (classes n_c), by hand; and only the ratio of weights matters to a mean by weights.
    let (given, same) = found(&["class_weights={ rare = 10, frequent = 0.5263158 }"]);
    assert!(given == balanced && (same - loss).abs() < 1e-4, "{given:?} {same} {loss}");
    // All samples count alike in what is reported.
    assert!(loss > 0.3, "{loss}");
}

#[test]
fn what_cannot_be_says_where() {
    let directory = kinds();
    let wrong = |to: &str| refused(&TABLE.replace("\"balanced\"", to), directory.path(), &[]);
    let text = wrong("{ rear = 2 }");
    assert_eq!(text, "a.toml, line 7, column 19: there is no class \"rear\"; the nearest is \"rare\"");
    let text = wrong("{ rare = -1 }");
    assert!(text.starts_with("a.toml, line 7, column 26: `class_weights.rare` is -1"), "{text}");
    let text = wrong("\"even\"");
    assert!(
        text.starts_with("a.toml, line 7, column 17: `class_weights` is \"even\", but must be \"balanced\""),
        "{text}"
    );
    let text = refused(TABLE, directory.path(), &["loss=nt_xent", "metrics=[]"]);
    assert!(
        text.starts_with("a.toml, line 7, column 17: nt_xent")
            && text.contains("compares the samples of a batch"),
        "{text}"
    );
    let numbers = refused(
        TABLE,
        directory.path(),
        &["data.target=size", "loss=huber", "metrics=[]", "model.layers=[\"dense(1)\"]"],
    );
    assert!(numbers.starts_with("a.toml, line 7, column 17: the data have no classes"), "{numbers}");
}

#[test]
fn a_rare_class_is_found_where_it_is_drawn_as_often() {
    let table = TABLE.replace("class_weights", "draw");
    let directory = kinds();
    let confusion = trained(&table, directory.path(), &[]).unwrap().train.confusion.unwrap();
    assert!(confusion[1][1] >= 5 && confusion[0][0] > 90, "{confusion:?}");
    // What is reported is of all samples, each once.
    assert_eq!(confusion.iter().flatten().sum::<u64>(), 200);
    let text = refused(&table, directory.path(), &["class_weights=balanced"]);
    assert!(text.contains("leave out `draw`, or `class_weights`"), "{text}");
    let text = refused(&table.replace("draw = \"balanced\"", "draw = \"even\""), directory.path(), &[]);
    assert!(text.starts_with("a.toml, line 7, column 8: `draw` is \"even\", but must be"), "{text}");
    let changes = ["data.target=size", "loss=huber", "metrics=[]", "model.layers=[\"dense(1)\"]"];
    let text = refused(&table, directory.path(), &changes);
    assert!(text.starts_with("a.toml, line 7, column 8: the data have no classes"), "{text}");
}
