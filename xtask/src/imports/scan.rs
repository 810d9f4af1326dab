//! Reading imports from the text of Rust. All functions keep the length of the text, so that lines can be counted.

use std::collections::BTreeSet;

/// One name of a `use`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// The name that it binds; `None` for a glob and for `_`.
    pub(super) name: Option<String>,
    pub(super) glob: bool,
    /// Whether others see it.
    exported: bool,
    position: usize,
    line: usize,
}

impl Use {
    pub(super) fn binds(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

/// A path that a module takes something from.
#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) glob: bool,
    pub(super) line: usize,
}

/// The code of a file: comments, strings and characters become spaces.
pub(super) fn code(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !ends_in_word(&bytes[..at])) {
            length
        } else if rest[0] == b'"' {
            quoted(rest, b'"')
        } else if rest[0] == b'\'' {
            character(rest)
        } else {
            at += 1;
            continue;
        };
        blank(&mut bytes[at..at + length]);
        at += length;
    }
    // Only ASCII was replaced, and whole comments and strings.
    String::from_utf8_lossy(&bytes).into_owned()
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn ends_in_word(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|&byte| is_word(byte))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 128
}

fn block_comment(text: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The length of `r"..."`, `r#"..."#` and the like, if the text starts with one.
fn raw_string(text: &[u8]) -> Option<usize> {
    let prefix = text.iter().take_while(|byte| matches!(byte, b'b' | b'c')).count();
    let text_after = text.get(prefix..)?.strip_prefix(b"r")?;
    let hashes = text_after.iter().take_while(|&&byte| byte == b'#').count();
    let body = text_after.get(hashes..)?.strip_prefix(b"\"")?;
    let end: Vec<u8> = [b'"'].into_iter().chain(std::iter::repeat_n(b'#', hashes)).collect();
    let length = body.windows(end.len()).position(|window| window == end)?;
    Some(prefix + 1 + hashes + 1 + length + end.len())
}

fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// The length of a character literal, or 1 for the mark of a lifetime.
fn character(text: &[u8]) -> usize {
    if text.get(1) == Some(&b'\\') {
        return quoted(text, b'\'');
    }
    // A character of several bytes has its quote within five.
    let width = text.iter().skip(1).take(5).position(|&byte| byte == b'\'');
    match width {
        Some(1) => 3,
        Some(width) if text[1] >= 128 => width + 2,
        _ => 1,
    }
}

/// The end of the item that starts here: after its `;`, or after the brace that closes its body.
fn end_of_item(code: &[u8], start: usize) -> usize {
    let mut depth = 0;
    for (at, &byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth -= 1;
                if depth == 0 && byte == b'}' {
                    // `use a::{b};` has a semicolon too.
                    let rest = &code[at + 1..];
                    let next = rest.iter().position(|byte| !byte.is_ascii_whitespace());
                    let semicolon = next.filter(|&next| rest[next] == b';');
                    return at + 1 + semicolon.map_or(0, |next| next + 1);
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The code without the items under `#[cfg(test)]`.
pub(super) fn without_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    let mut at = 0;
    while let Some(found) = code[at..].find("#[cfg(") {
        let start = at + found;
        let end = start + code[start..].find(']').map_or(1, |end| end + 1);
        let condition = &code[start..end];
        at = end;
        if has_word(condition, "test") && !condition.contains("not(test") {
            at = end_of_item(code.as_bytes(), end);
            blank(&mut bytes[start..at]);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The code without its `mod name { ... }`, and these with the code of each.
pub(super) fn without_inline_modules(code: &str) -> (String, Vec<(String, String)>) {
    let mut bytes = code.as_bytes().to_vec();
    let mut inline = Vec::new();
    let mut end_of_last = 0;
    for (start, name, after) in modules(code) {
        if start < end_of_last || code.as_bytes()[after] != b'{' {
            continue;
        }
        let end = end_of_item(code.as_bytes(), after);
        let mut body = code.as_bytes().to_vec();
        blank(&mut body[..=after]);
        blank(&mut body[end - 1..]);
        blank(&mut bytes[start..end]);
        inline.push((name, String::from_utf8_lossy(&body).into_owned()));
        end_of_last = end;
    }
    (String::from_utf8_lossy(&bytes).into_owned(), inline)
}

/// The names of the `mod name;` in the code.
pub(super) fn declared_modules(code: &str) -> Vec<String> {
    let declared = modules(code).into_iter().filter(|(_, _, after)| code.as_bytes()[*after] == b';');
    declared.map(|(_, name, _)| name).collect()
}

/// All `mod name`, with the positions of the word `mod` and of the `;` or `{` that follows.
fn modules(code: &str) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for start in words(code, "mod") {
        let rest = &code[start + 3..];
        let name = rest.trim_start();
        let length = name.bytes().take_while(|&byte| is_word(byte)).count();
        let after = name[length..].trim_start();
        if length > 0 && (after.starts_with(';') || after.starts_with('{')) {
            found.push((start, name[..length].to_owned(), code.len() - after.len()));
        }
    }
    found
}

/// The positions of a word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let after = code.as_bytes().get(at + word.len());
        !ends_in_word(&code.as_bytes()[..at]) && !after.is_some_and(|&byte| is_word(byte))
    })
}

pub(super) fn has_word(code: &str, word: &str) -> bool {
    words(code, word).next().is_some()
}

/// The line of the first call of a macro, `name!`.
pub(super) fn first_call(code: &str, call: &str) -> Option<usize> {
    let name = call.trim_end_matches('!');
    let position = words(code, name).find(|&position| code[position..].starts_with(call))?;
    Some(line_of(code, position))
}

/// The names that the code defines; macros also with their mark, `name!`.
pub(super) fn items(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for keyword in ["fn", "struct", "enum", "trait", "type", "const", "static", "union"] {
        for start in words(code, keyword) {
            let name = code[start + keyword.len()..].trim_start();
            let name = name.strip_prefix("mut ").unwrap_or(name);
            let length = name.bytes().take_while(|&byte| is_word(byte)).count();
            if length > 0 {
                names.insert(name[..length].to_owned());
            }
        }
    }
    for start in words(code, "macro_rules") {
        let Some(name) = code[start + "macro_rules".len()..].trim_start().strip_prefix('!') else { continue };
        let name = name.trim_start();
        let length = name.bytes().take_while(|&byte| is_word(byte)).count();
        names.insert(name[..length].to_owned());
        names.insert(format!("{}!", &name[..length]));
    }
    names
}

/// All names of all `use` in the code.
pub(super) fn uses(code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    for position in words(code, "use") {
        let rest = &code[position + 3..];
        let Some(end) = rest.find(';') else { continue };
        // Not the `use<'a>` of a type, which has no semicolon before a brace closes it.
        if rest.trim_start().starts_with('<') {
            continue;
        }
        let line_start = code[..position].rfind([';', '}', '{', ']']).map_or(0, |at| at + 1);
        let exported = has_word(&code[line_start..position], "pub");
        let line = line_of(code, position);
        for (path, name, glob) in tree(&rest[..end], &[]) {
            found.push(Use { path, name, glob, exported, position, line });
        }
    }
    found
}

type Leaf = (Vec<String>, Option<String>, bool);

/// The leaves of a `use` tree: path, name and whether it is a glob.
fn tree(text: &str, prefix: &[String]) -> Vec<Leaf> {
    let text = text.trim();
    if let Some(open) = text.find('{') {
        let close = text.rfind('}').unwrap_or(text.len());
        let prefix = [prefix, &segments(&text[..open])].concat();
        return split(&text[open + 1..close]).into_iter().flat_map(|part| tree(part, &prefix)).collect();
    }
    if text.is_empty() {
        return Vec::new();
    }
    let (path, alias) = match text.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (text, None),
    };
    let mut path = [prefix, &segments(path)].concat();
    if path.last().is_some_and(|last| last == "*") {
        path.pop();
        return vec![(path, None, true)];
    }
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = alias.or_else(|| path.last().cloned()).filter(|name| name != "_");
    vec![(path, name, false)]
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// The parts between commas outside of braces.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
    .collect()
}

fn line_of(code: &str, position: usize) -> usize {
    code[..position].matches('\n').count() + 1
}

/// What the code takes from elsewhere: its `use`, but for what it only re-exports, and the paths in it.
pub(super) fn imports(code: &str, uses: &[Use]) -> Vec<Import> {
    let mut rest = code.as_bytes().to_vec();
    for Use { position, .. } in uses {
        let end = code[*position..].find(';').map_or(code.len(), |end| position + end);
        blank(&mut rest[*position..end]);
    }
    let rest = String::from_utf8_lossy(&rest).into_owned();
    let mut found: Vec<Import> = paths(&rest);
    for Use { path, name, glob, exported, line, .. } in uses {
        let used = name.as_ref().is_some_and(|name| has_word(&rest, name));
        if used || !exported {
            found.push(Import { path: path.clone(), glob: *glob, line: *line });
        }
    }
    found
}

/// The paths of at least two segments in the code.
fn paths(code: &str) -> Vec<Import> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let mut path = Vec::new();
        loop {
            let length = bytes[at..].iter().take_while(|&&byte| is_word(byte)).count();
            path.push(code[at..at + length].to_owned());
            at += length;
            let next = code[at..].strip_prefix("::").and_then(|next| next.bytes().next());
            if !next.is_some_and(is_word) {
                break;
            }
            at += 2;
        }
        // `<T>::f` and `$crate::f` start elsewhere.
        let continues = code[..start].ends_with("::");
        if path.len() > 1 && !continues {
            found.push(Import { path, glob: false, line: line_of(code, start) });
        }
    }
    found
}
