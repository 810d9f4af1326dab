//! Samples that are changed at random.

use crate::{file, marks, refused, trained};

const MARKS: &str = r#"
loss = "cross_entropy"
metrics = ["accuracy"]
optimizer = "adam(lr=0.01)"
epochs = 4
audit = false
augment = ["random_affine(rotate=10, shift=0.1)", "cutout(2)"]
[data]
idx = "."
validation = 0.2
[model]
layers = ["flatten", "dense(8)", "relu", "dense(3)"]
"#;

fn accuracy(changes: &[&str]) -> (String, f64) {
    let directory = marks([240, 60]);
    let trained = trained(MARKS, directory.path(), changes).unwrap();
    let test = trained.test.unwrap().scores;
    (trained.model.parameters_sha256(), test.metric("accuracy").unwrap())
}

#[test]
fn the_samples_of_the_training_are_changed_and_no_others() {
    let (augmented, _) = accuracy(&[]);
    assert_eq!(accuracy(&[]).0, augmented, "it depends on the seed alone");
    assert_ne!(accuracy(&["augment.0.rotate=20"]).0, augmented);
    let (plain, right) = accuracy(&["augment=[]"]);
    assert_ne!(plain, augmented);
    assert!(right > 0.9, "{right}");
    // What changes nothing is no change, so that all else is read as it is.
    assert_eq!(accuracy(&["augment=[\"noise(0)\", \"horizontal_flip(0)\"]"]).0, plain);
    // Hidden altogether, the samples of the training teach nothing, but those of the test are seen.
    let (_, unseen) = accuracy(&["augment=cutout(40)"]);
    assert!(unseen < 0.8, "{unseen}");
}

#[test]
fn mixed_samples_are_learnt_from() {
    for mixing in ["mix_up(0.2)", "cut_mix"] {
        let (_, right) = accuracy(&[&format!("augment={mixing}"), "epochs=12"]);
        assert!(right > 0.9, "{mixing}: {right}");
    }
    let directory = marks([60, 30]);
    for loss in ["hinge", "multi_label_margin"] {
        let text = refused(MARKS, directory.path(), &["augment=mix_up", &format!("loss={loss}")]);
        let begin = format!(
            "the setting \"loss={loss}\": `augment` mixes samples, whose targets are a share of each class, and {loss}"
        );
        assert!(text.starts_with(&begin), "{text}");
    }
}

#[test]
fn what_cannot_be_says_where() {
    let directory = marks([60, 30]);
    let wrong = |from: &str, to: &str| refused(&MARKS.replace(from, to), directory.path(), &[]);
    let text = wrong("cutout(2)", "cutuot(2)");
    assert!(
        text.starts_with("a.toml, line 7, column 51: `augment`") && text.contains("nearest name is `cutout`"),
        "{text}"
    );
    let text = wrong("cutout(2)", "brightness(2)");
    assert!(
        text.starts_with("a.toml, line 7, column 51: `augment`") && text.contains("from 0 to 1"),
        "{text}"
    );
    let table =
        file("a.csv", &(0..40).map(|row| format!("{row}.5,{}\n", ["a", "b"][row % 2])).collect::<String>());
    let text = MARKS.replace("idx = \".\"", "table = \"a.csv\"\nheader = 0\ntarget = \"column 2\"");
    let text = refused(&text, table.path(), &["model.layers=[\"dense(2)\"]"]);
    assert!(text.starts_with("a.toml, line 7, column 12") && text.contains("are no pictures"), "{text}");
}
