//! The step `words`: names and phrases that were replaced stay replaced.
//!
//! The project once had words of its own for things that the field has names for, and English that read as translated.
//! Each line of [`WORDS`] names one of them and what to write instead. A word whose usual meaning is needed somewhere
//! is allowed there by path.

use std::fs;
use std::path::{Path, PathBuf};

/// What is searched, and how.
#[derive(Clone, Copy)]
enum Kind {
    /// A name in code: this spelling, as a whole word.
    Name,
    /// A phrase of prose: upper or lower case, also across the lines of a comment.
    Phrase,
}

/// A word that is not to be used, and what to use instead.
struct Word {
    kind: Kind,
    old: &'static str,
    new: &'static str,
    /// Where paths begin in which it is right.
    allowed: &'static [&'static str],
}

const fn name(old: &'static str, new: &'static str) -> Word {
    Word { kind: Kind::Name, old, new, allowed: &[] }
}

const fn phrase(old: &'static str, new: &'static str) -> Word {
    Word { kind: Kind::Phrase, old, new, allowed: &[] }
}

const WORDS: &[Word] = &[
    // The benchmark.
    name("floor_us", "baseline_us"),
    name("foretold_bytes", "estimated_bytes"),
    name("glimpse", "quick_estimate"),
    name("Floors", "Baseline"),
    name("WORKS", "WORKLOADS"),
    phrase("--work mlp32", "--workload mlp32"),
    phrase("bench --race", "bench --peers"),
    // Containers, merges and the graph.
    name("Joint", "Merge"),
    name("Knot", "NodeState"),
    name("OfLayer", "ErasedLayer"),
    name("OfJoint", "ErasedMerge"),
    name("Web", "GraphCache"),
    name("Draft", "GraphBuilder"),
    name("Apart", "<Layer>Cache"),
    name("Winners", "<Layer>Cache"),
    name("Blank", "ParamSpec"),
    name("crowded", "too_large"),
    name("absorb", "merge_shared"),
    // The engine.
    name("Lead", "SplitK"),
    name("Piece", "Bucket"),
    name("Pieces", "Buckets"),
    name("Descent", "Phase or ParamBlock"),
    name("Ground", "ParamBlock"),
    name("Ahead", "Prefetcher"),
    name("Asking", "Prefetcher"),
    name("Attendants", "spinning workers"),
    name("attendants", "spinning workers"),
    name("Dismiss", "StopOnDrop"),
    // Layers and optimizers.
    name("tells_kinds", "uses_kind"),
    name("Wanted", "TargetView"),
    name("add_back", "col2im"),
    name("quads", "pool2x2"),
    name("taps", "implicit im2col windows"),
    name("Onto", "Init"),
    name("Copied", "Im2col"),
    name("Overlapped", "ImplicitIm2col"),
    name("correlate", "forward, backward_weights or backward_data"),
    name("thinned", "dropped_weights"),
    name("blind", "zero_masked_rows"),
    name("Seen", "AttentionState"),
    name("Affine", "Projection or ScaleShift"),
    name("prepares", "needs_all_gradients"),
    // English.
    phrase("foretell", "estimate"),
    phrase("foretells", "estimates"),
    phrase("foretold", "estimated"),
    phrase("could not be had", "is not available"),
    phrase("cannot be had", "is not available"),
    phrase("can be had", "is available"),
    phrase("lies in memory", "is stored"),
    phrase("lie in memory", "are stored"),
    phrase("nobody", "the caller, or not needed"),
    phrase("lies in the memory", "is stored"),
    phrase("line of the cache", "cache line"),
    phrase("lines of the cache", "cache lines"),
    phrase("learning by heart", "overfitting"),
    phrase("have not the size", "do not have the size"),
    phrase("has not the size", "does not have the size"),
    phrase("what is no number", "NaN"),
    phrase("that is no number", "that is NaN"),
    phrase("is no number", "is NaN"),
    phrase("asked for ahead", "prefetched"),
    phrase("by itself", "alone or independently"),
];

/// Where to look, and in files of which kinds.
const PLACES: [&str; 10] = [
    "crates",
    "benches",
    "xtask/src",
    "docs",
    "datasets",
    ".github",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
];
const ENDINGS: [&str; 4] = ["rs", "md", "txt", "py"];

/// Searches all files.
///
/// # Errors
/// Every old word with its file and line, and what to write instead.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut findings = Vec::new();
    for place in PLACES {
        for file in files(&root.join(place)) {
            let path = file.strip_prefix(root).unwrap_or(&file).display().to_string().replace('\\', "/");
            // This list names them all.
            if path == "xtask/src/words.rs" {
                continue;
            }
            let text = fs::read_to_string(&file).map_err(|error| format!("{path}: {error}."))?;
            findings.extend(found(&text, &path, WORDS));
        }
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} words to replace:\n{}", findings.join("\n"))),
    }
}

/// The files at or below a path, in order; none if there is nothing.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        return if ENDINGS.contains(&ending) { vec![path.to_owned()] } else { Vec::new() };
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    below.retain(|path| path.file_name().is_none_or(|name| name != "target"));
    below.sort();
    below.iter().flat_map(|path| files(path)).collect()
}

/// The words of a text that are not to be used.
fn found(text: &str, path: &str, words: &[Word]) -> Vec<String> {
    let prose = Prose::of(text);
    let mut findings = Vec::new();
    for Word { kind, old, new, allowed } in words {
        if allowed.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        let lines = match kind {
            Kind::Name => occurrences(text, old).map(|at| text[..at].matches('\n').count() + 1).collect(),
            Kind::Phrase => prose.lines_with(old),
        };
        findings.extend(lines.into_iter().map(|line| format!("  {path}:{line}: `{old}` is now `{new}`")));
    }
    findings
}

/// The positions of a word or phrase with no letter, digit or underscore next to it.
fn occurrences<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
        !is_word(before) && !is_word(text.as_bytes().get(at + word.len()))
    })
}

/// A text in lower case on one line, without the marks of comments.
struct Prose {
    text: String,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl Prose {
    fn of(text: &str) -> Self {
        let mut prose = Self { text: String::new(), starts: Vec::new() };
        for line in text.lines() {
            prose.starts.push(prose.text.len());
            let line = line.trim();
            let line =
                ["///", "//!", "//", "#"].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line);
            prose.text += &line.trim_end_matches('\\').trim().to_lowercase();
            prose.text.push(' ');
        }
        prose
    }

    /// The numbers of the lines where a phrase starts.
    fn lines_with(&self, phrase: &str) -> Vec<usize> {
        let line = |at: usize| self.starts.partition_point(|&start| start <= at);
        occurrences(&self.text, phrase).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[Word] = &[
        name("Knot", "NodeState"),
        phrase("by heart", "overfitting"),
        Word { kind: Kind::Name, old: "floor", new: "baseline", allowed: &["crates/tensor/"] },
    ];

    #[test]
    fn a_name_is_a_whole_word_of_this_spelling() {
        let text = "struct Knots;\nlet knot = Knot::new();\n";
        assert_eq!(found(text, "a.rs", LIST), ["  a.rs:2: `Knot` is now `NodeState`"]);
    }

    #[test]
    fn a_phrase_may_be_broken_into_lines() {
        let text =
            "/// Against learning By\n    /// heart.\nfn f() {}\n// by-heart\n\"learn by \\\n    heart\"\n";
        let lines: Vec<String> = found(text, "a.rs", LIST);
        assert_eq!(
            lines,
            ["  a.rs:1: `by heart` is now `overfitting`", "  a.rs:5: `by heart` is now `overfitting`"]
        );
    }

    #[test]
    fn a_word_is_allowed_by_path() {
        assert_eq!(found("x.floor()", "crates/tensor/src/real.rs", LIST), [""; 0]);
        assert_eq!(found("x.floor()", "crates/train/src/lib.rs", LIST).len(), 1);
    }

    #[test]
    fn phrases_are_in_lower_case_or_could_not_be_found() {
        for word in WORDS.iter().filter(|word| matches!(word.kind, Kind::Phrase)) {
            assert_eq!(word.old, word.old.to_lowercase());
        }
    }
}
