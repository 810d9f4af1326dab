//! From a CSV file with categories, dates and missing values to predictions:
//! `cargo run --release -p chainrule --features tables --example table`.
//!
//! The file is drawn: members of a sports club, and whether they left within a year. It is not told what the columns are. The network is
//! right for 88.9 % of the members that it has not seen, of whom 73.1 % stay.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use chainrule::data::{output, split};
use chainrule::prelude::*;
use chainrule::tables::{ColumnRoles, Preparation, Table};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(warning) = chainrule::tensor::blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let file = draw(4_000, Seed(1))?;

    let table = Table::read(&file)?;
    for column in table.summary() {
        println!("{:9} {:10} {} missing", column.name, column.kind, column.missing);
    }
    // What is learnt about the columns is learnt from the training part alone.
    let left = table.column("left")?.labels();
    let parts = split::stratified(&left, 0.25, Seed(2))?;
    let (train, test) = (table.select(&parts.train), table.select(&parts.test));
    let preparation = ColumnRoles::new().target("left").fit(&train)?;
    println!("\nfeatures: {}", preparation.feature_names()?.join(", "));
    let (train, test) = (preparation.classification::<f32>(&train)?, preparation.classification(&test)?);

    let layers = Sequential::new().then(Dense::new(16)).then(Relu).then(Dense::new(2));
    let model = Model::new(train.shape(), layers, Seed(3))?;
    let mut trainer = Trainer::new(model, CrossEntropy, adam(3e-3)).metric(Accuracy);
    trainer.fit(&train, 30)?;
    let majority = test.targets().iter().filter(|&&class| class == 0).count() as f64 / test.len() as f64;
    println!(
        "\nwho stays is {:.1} % of the test set; the network: {}",
        100.0 * majority,
        trainer.evaluate(&test)?
    );

    // Another day: the preparation is read back, and applied to members of whom less is known.
    let directory = file.parent().unwrap_or(Path::new("."));
    let saved = directory.join("chainrule-members.preparation");
    preparation.save(&saved)?;
    let preparation = Preparation::load(&saved)?;
    let new = directory.join("chainrule-new-members.csv");
    let members = "plan,visits,age,joined,student\nbasic,1,,2023-03-01,no\nfamily,14,41,2019-07-15,\ntrial,3,22,2023-01-10,yes\n";
    output::write(&new, |file| file.write_all(members.as_bytes()))?;
    let table = preparation.reader(&new).read()?;
    let scores = trainer.into_model().predict(preparation.features(&table)?.view())?;
    let classes = preparation.class_names().unwrap_or_default();
    for (row, scores) in scores.rows().into_iter().enumerate() {
        let best = if scores[1] > scores[0] { 1 } else { 0 };
        println!("line {} of the new members: did they leave? {}", table.line(row), classes[best]);
    }
    Ok(())
}

/// Writes a table of so many members.
fn draw(members: usize, seed: Seed) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let mut rng = seed.rng();
    let mut text = String::from("member;plan;visits;age;joined;student;left\n");
    for member in 1..=members {
        let plan = rng.below(3);
        let visits = 12.0 * rng.uniform() * rng.uniform();
        let (age, year) = (16 + rng.below(55), 2015 + rng.below(8));
        let student = age < 30 && rng.uniform() < 0.6;
        let stays = 1.1 * visits - 3.5 + [-1.0, 0.5, 3.0][plan] + 0.5 * (2023 - year) as f64
            - 2.0 * f64::from(student);
        let left = rng.uniform() > 1.0 / (1.0 + (-1.5 * stays).exp());
        let plan = ["basic", "plus", "family"][plan];
        // Decimal commas, and what was forgotten.
        let visits =
            if rng.uniform() < 0.1 { "n/a".to_owned() } else { format!("{visits:.2}").replace('.', ",") };
        let age = if rng.uniform() < 0.05 { "?".to_owned() } else { age.to_string() };
        let (month, day) = (1 + rng.below(12), 1 + rng.below(28));
        let [student, left] = [student, left].map(|yes| if yes { "yes" } else { "no" });
        writeln!(text, "{member};{plan};{visits};{age};{year}-{month:02}-{day:02};{student};{left}")?;
    }
    let path = std::env::temp_dir().join("chainrule-members.csv");
    output::write(&path, |file| file.write_all(text.as_bytes()))?;
    Ok(path)
}
