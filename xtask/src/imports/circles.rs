//! What is reported of the imports: the shortest circle, and the layers of the files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::Graph;

impl Graph {
    /// The sets of files to be checked, by the name of their directory.
    pub(super) fn parts(&self, by_directory: bool) -> BTreeMap<String, BTreeSet<PathBuf>> {
        let mut parts = BTreeMap::<String, BTreeSet<PathBuf>>::new();
        for file in self.edges.keys() {
            let mut components = file.components();
            let first = components.next().map(|first| first.as_os_str().to_string_lossy().into_owned());
            let nested = components.next().is_some();
            let part = if !by_directory {
                String::new()
            } else if let Some(first) = first.filter(|_| nested) {
                first
            } else {
                continue;
            };
            parts.entry(part).or_default().insert(file.clone());
        }
        parts
    }

    fn below<'a>(
        &'a self,
        file: &Path,
        files: &'a BTreeSet<PathBuf>,
    ) -> impl Iterator<Item = (&'a PathBuf, usize)> {
        let edges = self.edges.get(file).into_iter().flatten();
        edges.filter(|(to, _)| files.contains(*to)).map(|(to, line)| (to, *line))
    }

    /// The shortest circle among these files, a line for each import.
    pub(super) fn circle(&self, files: &BTreeSet<PathBuf>) -> Option<String> {
        let shortest = files.iter().filter_map(|file| self.way_back(file, files)).min_by_key(Vec::len)?;
        let step = |(from, line, to): &(&Path, usize, &Path)| {
            format!("  {}:{line} imports {}", from.display(), to.display())
        };
        Some(shortest.iter().map(step).collect::<Vec<_>>().join("\n"))
    }

    /// The shortest way from a file over its imports back to itself.
    fn way_back<'a>(
        &'a self,
        file: &'a Path,
        files: &'a BTreeSet<PathBuf>,
    ) -> Option<Vec<(&'a Path, usize, &'a Path)>> {
        let mut reached_from = BTreeMap::<&Path, (&Path, usize)>::new();
        let mut queue = VecDeque::from([file]);
        while let Some(from) = queue.pop_front() {
            for (to, line) in self.below(from, files) {
                if !reached_from.contains_key(to.as_path()) {
                    reached_from.insert(to, (from, line));
                    queue.push_back(to);
                }
            }
        }
        let mut way = Vec::new();
        let mut to = file;
        loop {
            let &(from, line) = reached_from.get(to)?;
            way.push((from, line, to));
            to = from;
            if to == file {
                way.reverse();
                return Some(way);
            }
        }
    }

    /// The files in layers: each imports only from layers below its own.
    pub(super) fn drawing(&self, files: &BTreeSet<PathBuf>) -> String {
        let mut layers = Vec::<Vec<&PathBuf>>::new();
        let mut placed = BTreeSet::new();
        while placed.len() < files.len() {
            let fits = |file: &&PathBuf| {
                !placed.contains(*file) && self.below(file, files).all(|(to, _)| placed.contains(to))
            };
            let layer: Vec<&PathBuf> = files.iter().filter(fits).collect();
            if layer.is_empty() {
                break;
            }
            placed.extend(layer.iter().copied());
            layers.push(layer);
        }
        let mut text = String::new();
        for (index, layer) in layers.iter().enumerate().rev() {
            text += &format!("  layer {index}\n");
            for file in layer {
                let below: Vec<String> = self.below(file, files).map(|(to, _)| short(to)).collect();
                let arrow = if below.is_empty() { "" } else { " -> " };
                text += &format!("    {}{arrow}{}\n", short(file), below.join(", "));
            }
        }
        for file in files.iter().filter(|file| !placed.contains(*file)) {
            text += &format!("  in or above a circle: {}\n", short(file));
        }
        text
    }
}

/// `engine/pass` for `engine/pass.rs`, `engine` for `engine/mod.rs`.
pub(super) fn short(file: &Path) -> String {
    let name = file.with_extension("").display().to_string();
    name.strip_suffix("/mod").map_or(name.clone(), str::to_owned)
}
