//! Which file a path of an import leads to.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::scan::{self, Import};
use super::{Graph, Module, joined};

impl Graph {
    /// The files that an import in the module `from` leads to.
    pub(super) fn targets(&self, from: &[String], import: &Import) -> BTreeSet<PathBuf> {
        let mut targets = BTreeSet::new();
        let Some((start, rest)) = self.start(from, &import.path) else { return targets };
        if !import.glob {
            targets.extend(self.resolve(&start, rest, &mut BTreeSet::new()));
            return targets;
        }
        // Of a glob, the names that the module uses.
        let Some(to) = self.module_at(&start, rest, &mut BTreeSet::new()) else { return targets };
        for name in self.names_of(&to, &mut BTreeSet::new()) {
            if scan::has_word(&self.modules[from].code, &name) {
                targets.extend(self.resolve(&to, &[name], &mut BTreeSet::new()));
            }
        }
        targets
    }

    /// The module that a path starts from, and what follows; `None` for a path into another crate.
    fn start<'a>(&self, from: &[String], path: &'a [String]) -> Option<(Vec<String>, &'a [String])> {
        let (first, mut rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some((Vec::new(), rest)),
            "self" => Some((from.to_vec(), rest)),
            "super" => {
                let mut module = from.to_vec();
                module.pop()?;
                while let Some((next, after)) = rest.split_first().filter(|(next, _)| *next == "super") {
                    debug_assert_eq!(next, "super");
                    module.pop()?;
                    rest = after;
                }
                Some((module, rest))
            }
            // A module below, or a name that is bound to a module by an import.
            name => {
                let known = self.modules.contains_key(&joined(from, name));
                let bound = || self.modules[from].uses.iter().any(|import| import.binds(name));
                (known || bound()).then(|| (from.to_vec(), path))
            }
        }
    }

    /// The file that defines what a path from a module leads to.
    fn resolve(
        &self,
        module: &[String],
        path: &[String],
        seen: &mut BTreeSet<(Vec<String>, String)>,
    ) -> Option<PathBuf> {
        let here = self.modules.get(module)?;
        let Some((name, rest)) = path.split_first() else { return Some(here.file.clone()) };
        if self.modules.contains_key(&joined(module, name)) {
            return self.resolve(&joined(module, name), rest, seen);
        }
        if here.items.contains(name) {
            return Some(here.file.clone());
        }
        if !seen.insert((module.to_vec(), name.clone())) {
            return None;
        }
        if let Some(import) = here.uses.iter().find(|import| import.binds(name)) {
            // A path into another crate leads nowhere here.
            let (start, first) = self.start_of_use(module, &import.path)?;
            let whole: Vec<String> = first.iter().chain(rest).cloned().collect();
            return self.resolve(&start, &whole, seen);
        }
        for import in here.uses.iter().filter(|import| import.glob) {
            let Some((start, first)) = self.start_of_use(module, &import.path) else { continue };
            let Some(to) = self.module_at(&start, first, seen) else { continue };
            if self.names_of(&to, &mut BTreeSet::new()).contains(name) {
                return self.resolve(&to, path, seen);
            }
        }
        // Something that a macro defines, or a macro that is exported to the root.
        let defines = |module: &&Module| module.items.contains(&format!("{name}!"));
        let by_macro = self.modules.values().find(defines);
        Some(by_macro.unwrap_or(here).file.clone())
    }

    /// As [`Graph::start`], but a name that the `use` itself binds does not count.
    fn start_of_use<'a>(&self, from: &[String], path: &'a [String]) -> Option<(Vec<String>, &'a [String])> {
        let first = path.first()?;
        let relative = !matches!(first.as_str(), "crate" | "self" | "super");
        let known = || {
            let here = &self.modules[from];
            self.modules.contains_key(&joined(from, first))
                || here.items.contains(first)
                || path.len() > 1 && here.uses.iter().any(|import| import.binds(first))
        };
        if relative && !known() {
            None
        } else {
            self.start(from, path).or_else(|| Some((from.to_vec(), path)))
        }
    }

    /// The module that a path leads to, if it leads to one.
    fn module_at(
        &self,
        module: &[String],
        path: &[String],
        seen: &mut BTreeSet<(Vec<String>, String)>,
    ) -> Option<Vec<String>> {
        let Some((name, rest)) = path.split_first() else { return Some(module.to_vec()) };
        let child = joined(module, name);
        if self.modules.contains_key(&child) {
            return self.module_at(&child, rest, seen);
        }
        if !seen.insert((module.to_vec(), format!("{name}::"))) {
            return None;
        }
        let import = self.modules.get(module)?.uses.iter().find(|import| import.binds(name))?;
        let (start, first) = self.start_of_use(module, &import.path)?;
        let whole: Vec<String> = first.iter().chain(rest).cloned().collect();
        self.module_at(&start, &whole, seen)
    }

    /// The names that a glob of a module brings: what it defines, what it imports by name, and what its globs bring.
    fn names_of(&self, module: &[String], seen: &mut BTreeSet<Vec<String>>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let Some(here) = self.modules.get(module).filter(|_| seen.insert(module.to_vec())) else {
            return names;
        };
        names.extend(here.items.iter().filter(|item| !item.ends_with('!')).cloned());
        for import in &here.uses {
            names.extend(import.name.clone());
            if import.glob
                && let Some((start, rest)) = self.start_of_use(module, &import.path)
                && let Some(to) = self.module_at(&start, rest, &mut BTreeSet::new())
            {
                names.extend(self.names_of(&to, seen));
            }
        }
        names
    }
}
