//! The step `imports`: the files of a crate import each other without a circle.
//!
//! Who reads a file should be able to read those that it imports first. The decision here: **imports are read from
//! the text**, without a parser of Rust, so that xtask builds in seconds. A name that a `mod.rs` or a `lib.rs` only
//! re-exports leads to the file that defines it; declaring a module (`mod x;`) and re-exporting a name that the file
//! does not use itself are no imports. Code under `#[cfg(test)]` is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

mod circles;
mod resolve;
mod scan;

use crate::print;

/// A crate whose files are checked: all together, or by directory.
struct Room {
    source: &'static str,
    by_directory: bool,
}

const ROOMS: [Room; 4] = [
    Room { source: "crates/tensor/src", by_directory: false },
    Room { source: "crates/core/src", by_directory: false },
    Room { source: "crates/train/src", by_directory: false },
    // The families of layers, each alone.
    Room { source: "crates/layers/src", by_directory: true },
];

/// Checks all rooms, and prints the layers of their imports if `print` is set.
///
/// # Errors
/// The circles, each with the lines that make it.
pub(crate) fn run(root: &Path, print: bool) -> Result<(), String> {
    let mut circles = Vec::new();
    for Room { source, by_directory } in ROOMS {
        let graph = Graph::read(&root.join(source))?;
        for (name, files) in graph.parts(by_directory) {
            if print {
                let title = if name.is_empty() { source.to_owned() } else { format!("{source}/{name}") };
                print::out(format_args!("{title}\n{}", graph.drawing(&files)));
            }
            circles.extend(graph.circle(&files).map(|circle| format!("in {source}:\n{circle}")));
        }
    }
    if circles.is_empty() { Ok(()) } else { Err(format!("files import each other {}", circles.join("\n"))) }
}

/// A module: a file, or a `mod name { ... }` in one.
struct Module {
    file: PathBuf,
    /// The code of this module alone, of the length of its file.
    code: String,
    uses: Vec<scan::Use>,
    items: BTreeSet<String>,
}

/// The imports between the files of a crate.
#[derive(Default)]
struct Graph {
    /// By path: `[]` is the root.
    modules: BTreeMap<Vec<String>, Module>,
    /// From file to file, with the line of the first import.
    edges: BTreeMap<PathBuf, BTreeMap<PathBuf, usize>>,
}

impl Graph {
    /// Reads the crate whose root is `lib.rs` in this directory.
    fn read(source: &Path) -> Result<Self, String> {
        let mut graph = Self::default();
        graph.read_file(source, Path::new("lib.rs"), Vec::new())?;
        for (path, module) in &graph.modules {
            let mut found = BTreeMap::new();
            for import in scan::imports(&module.code, &module.uses) {
                for to in graph.targets(path, &import) {
                    let line = found.entry(to).or_insert(import.line);
                    *line = import.line.min(*line);
                }
            }
            // Macros also reach what comes after them in the text, without a path.
            let macros =
                graph.modules.values().flat_map(|other| other.items.iter().map(move |item| (other, item)));
            for (other, name) in macros.filter(|(_, item)| item.ends_with('!')) {
                if let Some(line) =
                    scan::first_call(&module.code, name).filter(|_| !module.items.contains(name))
                {
                    found.entry(other.file.clone()).or_insert(line);
                }
            }
            found.remove(&module.file);
            let edges = graph.edges.entry(module.file.clone()).or_default();
            for (to, line) in found {
                let first = edges.entry(to).or_insert(line);
                *first = line.min(*first);
            }
        }
        Ok(graph)
    }

    fn read_file(&mut self, source: &Path, file: &Path, path: Vec<String>) -> Result<(), String> {
        let at = source.join(file);
        let text = fs::read_to_string(&at).map_err(|error| format!("{}: {error}.", at.display()))?;
        self.add(source, file, path, scan::without_tests(&scan::code(&text)))
    }

    /// Adds a module and all below it.
    fn add(&mut self, source: &Path, file: &Path, path: Vec<String>, code: String) -> Result<(), String> {
        let (code, inline) = scan::without_inline_modules(&code);
        for name in scan::declared_modules(&code) {
            let below: PathBuf = path.iter().collect();
            let flat = below.join(format!("{name}.rs"));
            let nested = below.join(&name).join("mod.rs");
            let child = if source.join(&flat).is_file() { flat } else { nested };
            self.read_file(source, &child, joined(&path, &name))?;
        }
        for (name, body) in inline {
            self.add(source, file, joined(&path, &name), body)?;
        }
        let uses = scan::uses(&code);
        let items = scan::items(&code);
        self.modules.insert(path, Module { file: file.to_owned(), code, uses, items });
        Ok(())
    }
}

fn joined(path: &[String], name: &str) -> Vec<String> {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::circles::short;
    use super::*;

    /// A crate of these files.
    fn graph(files: &[(&str, &str)]) -> Graph {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = directory.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Graph::read(directory.path()).unwrap()
    }

    fn circle(files: &[(&str, &str)]) -> Option<String> {
        let graph = graph(files);
        let all = graph.parts(false).remove("").unwrap();
        graph.circle(&all)
    }

    #[test]
    fn a_circle_is_shown_with_its_lines() {
        let found = circle(&[
            ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
            ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
            ("b.rs", "//! Text.\nuse crate::{c::C, Nothing};\npub struct B(C);\n"),
            ("c.rs", "\npub struct C;\nfn f(_: super::a::A) {}\n"),
        ]);
        assert_eq!(found.unwrap(), "  a.rs:1 imports b.rs\n  b.rs:2 imports c.rs\n  c.rs:3 imports a.rs");
    }

    #[test]
    fn tests_comments_and_strings_import_nothing() {
        let found = circle(&[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
            (
                "b.rs",
                "//! As [`A`](crate::a::A).\n/* use crate::a::A; */\npub struct B;\nconst T: &str = \"crate::a::A\";\n\
                 #[cfg(test)]\nuse crate::a::A;\n#[cfg(all(test, unix))]\nmod tests {\n    use crate::a::A;\n    fn f() { {} }\n}\n",
            ),
        ]);
        assert_eq!(found, None);
    }

    #[test]
    fn a_re_export_leads_to_the_file_that_defines_the_name() {
        let files = [
            ("lib.rs", "mod room;\npub use room::*;\nmod user;\n"),
            (
                "room/mod.rs",
                "//! All of it.\nmod low;\nmod high;\npub use low::Low;\npub(crate) use high::*;\n",
            ),
            ("room/low.rs", "pub struct Low;\n"),
            // By its parent, but not of its parent.
            ("room/high.rs", "use super::Low;\npub struct High(Low);\n"),
            ("user.rs", "use crate::{High, room::Low as Bottom};\nfn f(_: High, _: Bottom) {}\n"),
        ];
        let graph = graph(&files);
        let edges: Vec<String> = graph
            .edges
            .iter()
            .flat_map(|(from, to)| to.keys().map(|to| format!("{} {}", short(from), short(to))))
            .collect();
        assert_eq!(edges, ["room/high room/low", "user room/high", "user room/low"]);
        let all = graph.parts(false).remove("").unwrap();
        assert_eq!(graph.circle(&all), None);
        let drawing = graph.drawing(&all);
        assert!(drawing.contains("  layer 2\n    user -> room/high, room/low\n  layer 1\n"), "{drawing}");
    }

    #[test]
    fn a_parent_that_uses_what_it_re_exports_imports_it() {
        let child = ("a.rs", "use super::Root;\npub struct A(Root);\n");
        let only_declares = ("lib.rs", "mod a;\npub use a::A;\npub struct Root;\n");
        assert_eq!(circle(&[only_declares, child]), None);
        for uses in [
            "mod a;\npub use a::A;\npub struct Root;\nfn f(_: A) {}\n",
            "mod a;\npub struct Root;\nfn f(_: a::A) {}\n",
            "mod a;\nuse a::A;\npub struct Root;\n",
            "mod a;\nuse a::*;\npub struct Root;\nfn f(_: A) {}\n",
            "mod a;\nuse self::a as other;\npub struct Root;\nfn f(_: other::A) {}\n",
        ] {
            let found = circle(&[("lib.rs", uses), child]);
            assert!(found.is_some_and(|circle| circle.contains("a.rs:1 imports lib.rs")), "{uses}");
        }
    }

    #[test]
    fn an_inline_module_belongs_to_its_file() {
        let found = circle(&[
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "mod inner {\n    use super::own;\n    use super::super::b::B;\n}\nfn own() {}\n"),
            ("b.rs", "pub struct B;\nfn f() { crate::a::own() }\n"),
        ]);
        assert_eq!(found.unwrap(), "  a.rs:3 imports b.rs\n  b.rs:2 imports a.rs");
    }

    #[test]
    fn macros_are_found_where_they_are_defined() {
        let files = [
            ("lib.rs", "mod macros;\nmod user;\n"),
            (
                "macros.rs",
                "macro_rules! add { () => {} }\npub(crate) use add;\nfn f() { crate::user::g() }\n",
            ),
            ("user.rs", "use crate::macros::add;\npub fn g() { add!() }\n"),
        ];
        assert!(circle(&files).is_some());
        let textual = [
            ("lib.rs", "#[macro_use]\nmod macros;\nmod user;\n"),
            ("macros.rs", "macro_rules! add { () => {} }\nfn f() { crate::user::g() }\n"),
            ("user.rs", "pub fn g() { add!() }\n"),
        ];
        assert!(circle(&textual).is_some());
    }

    #[test]
    fn families_are_checked_alone() {
        let graph = graph(&[
            ("lib.rs", "mod x;\nmod y;\n"),
            ("x/mod.rs", "mod a;\npub use a::A;\n"),
            ("x/a.rs", "use crate::y::B;\npub struct A(B);\n"),
            ("y/mod.rs", "mod b;\npub use b::B;\n"),
            ("y/b.rs", "use crate::x::A;\npub struct B(A);\n"),
        ]);
        let parts = graph.parts(true);
        assert_eq!(parts.keys().collect::<Vec<_>>(), ["x", "y"]);
        assert!(parts.values().all(|files| graph.circle(files).is_none()));
        assert!(graph.circle(&graph.parts(false)[""]).is_some());
    }
}
