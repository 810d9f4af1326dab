//! `chainrule schedule` as a user runs it.

mod start;

use std::fs;
use std::process::Output;

use start::chainrule;

fn schedule(arguments: &[&str]) -> Output {
    chainrule().arg("schedule").args(arguments).output().unwrap()
}

fn drawn(arguments: &[&str]) -> String {
    let output = schedule(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The line that begins with this word.
fn line<'a>(text: &'a str, word: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(word)).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn draws_with_rate_and_length_left_out() {
    let text = drawn(&["warmup:500 then cosine", "--steps", "1000", "--lr", "0.5"]);
    assert_eq!(line(&text, "highest"), "highest     0.5 at step 500");
    assert_eq!(line(&text, "first"), "first       9.98e-4");
    assert!(line(&text, "last").ends_with(" at step 999"), "{text}");
    assert!(text.lines().next().unwrap().starts_with(" 0.5 ┤"), "{text}");
    assert!(text.contains("1000 steps"), "{text}");
    let text = drawn(&["by_epoch(step(2, gamma=0.5))", "--steps", "60", "--steps-per-epoch", "10"]);
    assert_eq!(line(&text, "first"), "first       0.001");
    assert_eq!(line(&text, "lowest"), "lowest      2.5e-4 at step 40");
    let text = drawn(&["constant(rate=0.25)"]);
    assert_eq!(line(&text, "lowest"), "lowest      0.25 at step 0");
}

#[test]
fn draws_every_schedule() {
    let texts = [
        "constant",
        "StepLR(30)",
        "multi_step([10, 50])",
        "linear",
        "exponential(0.99)",
        "inverse_time(0.1)",
        "piecewise_constant([3, 9], [1, 2, 3])",
        "polynomial(power=2)",
        "CosineAnnealingLR.pytorch(20)",
        "sgdr(10, multiplier=2)",
        "cyclic(0, up=5)",
        "one_cycle",
        "warmup(5)",
        "noam(512, 50)",
        "sequential([constant, linear], [50])",
        "chained([exponential(0.9), step(9)])",
        "by_epoch(linear)",
        "ReduceLROnPlateau",
        "linear(50, end_factor=0.5) then swa(0.01)",
    ];
    for text in texts {
        let drawn = drawn(&[text, "--steps", "150"]);
        assert!(drawn.lines().count() >= 20, "{text}: {drawn}");
    }
    let output = schedule(&["reduce_on_plateau"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("as if it were never reduced"), "{said}");
}

#[test]
fn writes_a_picture() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rate.svg");
    let path = path.to_str().unwrap();
    let text = drawn(&["cyclic(0, up=3)", "--steps", "5000", "--svg", path]);
    assert!(text.contains(path), "{text}");
    let svg = fs::read_to_string(path).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(svg.contains("cyclic(0, up=3)") && svg.contains("learning rate"), "{svg}");
    assert!(svg.matches(',').count() > 1000, "the line has its points");
    let output = schedule(&["cosine", "--svg", directory.path().to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write"));
}

#[test]
fn mistakes_are_one_clear_error() {
    let cases: [(&[&str], &str); 9] = [
        (&["cosin"], "there is no schedule named `cosin`; the nearest name is `cosine`"),
        (&["cosine("], "cannot be read: at character 7"),
        (&["step"], "step needs the setting `every`"),
        (&["multi_step([2, 1])"], "its milestones are not in order"),
        (&["exponential(1e200, rate=1)"], "gives step 1 the learning rate 1e200, but"),
        (&["cosine", "--lr", "-1"], "Cosine: rate is -1, but must be a finite number of at least 0"),
        (&["cosine", "--lr", "nan"], "Cosine: rate is NaN, but must be"),
        (&["cosine", "--steps", "0"], "--steps"),
        (&["exponential(0.9) then cosine"], "does not say its number of steps"),
    ];
    for (arguments, expected) in cases {
        let output = schedule(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    }
}
