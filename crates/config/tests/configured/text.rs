//! Texts in a table.

use std::fs;

use chainrule::tensor::Seed;
use chainrule_config::{ConfiguredModel, configuration_for};

use crate::{file, trained};

/// Messages, most of which say in a word of two what they are, in any company.
fn messages(count: usize) -> tempfile::TempDir {
    let mut rng = Seed(8).rng();
    let filler = ["the", "train", "was", "today", "again", "in", "Ulm", "at", "noon", "seats"];
    let (good, bad) = (["lovely", "wonderful"], ["dreadful", "broken"]);
    let mut text = String::from("message,mood\n");
    for row in 0..count {
        let mut words: Vec<&str> = (0..4 + rng.below(8)).map(|_| filler[rng.below(filler.len())]).collect();
        let kind = rng.below(2);
        let at = rng.below(words.len());
        words[at] = [bad, good][kind][rng.below(2)];
        text += &format!("\"{} {row}!\",{}\n", words.join(" "), ["bad", "good"][kind]);
    }
    file("messages.csv", &text)
}

#[test]
fn from_texts_to_predictions() {
    let directory = messages(400);
    let registry = chainrule::registry();
    let path = directory.path().join("messages.csv");
    let text = configuration_for(&path, std::path::Path::new("messages.csv"), &[""; 0]).unwrap();
    assert!(
        text.contains("transform = \"words(12, 5000)\"")
            && text.contains("embedding_bag(5000, 16, padding_index=0)"),
        "{text}"
    );
    for changes in [
        vec!["epochs=12", "preparation.columns.0.transform.size=60", "model.layers.0.vocabulary=60"],
        vec![
            "epochs=40",
            "preparation.columns.0.transform=byte_pairs(40, 330)",
            "model.layers.0.vocabulary=330",
        ],
    ] {
        let trained = trained(&text, directory.path(), &changes).unwrap();
        let accuracy = trained.test.unwrap().scores.metric("accuracy").unwrap();
        assert!(accuracy > 0.9, "{changes:?}: {accuracy}");
        let saved = directory.path().join("messages.chainrule");
        trained.model.save(&saved).unwrap();
        // What it has learnt of words is in the file.
        let new = directory.path().join("new.csv");
        fs::write(&new, "message\n\"LOVELY, unheard-of sights\"\nthe dreadful seats\n\"\"\n").unwrap();
        let predicted = ConfiguredModel::load(&saved, &registry).unwrap().predict(&new, &registry).unwrap();
        assert_eq!(predicted.outputs()[0].names(), ["bad", "good"]);
        let good: Vec<f32> = predicted.outputs()[0].values().column(1).to_vec();
        assert!(good[1] < 0.4 && good.iter().all(|value| value.is_finite()), "{changes:?}: {good:?}");
        // Byte pairs know a word in capitals by its letters alone.
        assert!(changes[1].contains("byte_pairs") || good[0] > 0.6, "{good:?}");
    }
}
