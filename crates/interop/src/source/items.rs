//! The functions that a file needs, out of the texts of all.

use std::collections::BTreeSet;

/// A function or a type of a text.
struct Item<'a> {
    name: &'a str,
    is_type: bool,
    text: &'a str,
}

/// The functions and types of these texts that have one of these names, or are used by those that do, in the order of the texts.
pub(super) fn needed(texts: &[&'static str], names: &BTreeSet<&str>) -> Vec<&'static str> {
    let items: Vec<Item<'static>> =
        texts.iter().flat_map(|text| text.trim().split("\n\n")).filter_map(item).collect();
    let mut chosen: Vec<bool> = items.iter().map(|item| names.contains(item.name)).collect();
    loop {
        let mut changed = false;
        for index in 0..items.len() {
            let used = || {
                let users = items.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
                users.map(|(user, _)| user).any(|user| uses(user.text, &items[index]))
            };
            if !chosen[index] && used() {
                chosen[index] = true;
                changed = true;
            }
        }
        if !changed {
            return items
                .iter()
                .zip(&chosen)
                .filter(|(_, chosen)| **chosen)
                .map(|(item, _)| item.text)
                .collect();
        }
    }
}

/// The name of what a part of a text declares; none for what stands at the head of a text.
fn item(text: &'static str) -> Option<Item<'static>> {
    let code = text.lines().find(|line| !line.starts_with(['/', '#', ' ']))?;
    let code = code.trim_start_matches("pub(crate) ");
    let (first, rest) = code.split_once(' ')?;
    let end = |text: &str| text.find(|c: char| !is_word(c)).unwrap_or(text.len());
    match first {
        "struct" | "impl" => Some(Item { name: &rest[..end(rest)], is_type: true, text }),
        "fn" | "static" => {
            let before = code.split('(').next()?;
            let name = before.rsplit(|c: char| !is_word(c)).next()?;
            Some(Item { name, is_type: false, text })
        }
        _ => None,
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether a text calls a function or names a type.
fn uses(text: &str, item: &Item<'_>) -> bool {
    let mut code = text.lines().filter(|line| !line.trim_start().starts_with('/'));
    code.any(|line| {
        line.match_indices(item.name).any(|(index, name)| {
            let before = line[..index].chars().next_back();
            let after = line[index + name.len()..].chars().next();
            let ends = after.is_none_or(|c| !is_word(c));
            before.is_none_or(|c| !is_word(c)) && if item.is_type { ends } else { after == Some('(') }
        })
    })
}
