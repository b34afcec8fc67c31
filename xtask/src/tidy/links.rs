//! Rule of links: what a Markdown file links to within the tree exists.

use std::collections::BTreeSet;

use super::{Fault, File};

/// Checks the links of a Markdown file; `paths` holds every file and folder of the tree.
pub(super) fn check(file: &File, paths: &BTreeSet<String>) -> Vec<Fault> {
    if !file.path.ends_with(".md") {
        return Vec::new();
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut in_code = false;
    let mut faults = Vec::new();
    for (line, number) in file.text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let is_there = resolve(folder, path).is_some_and(|path| path.is_empty() || paths.contains(&path));
            if !is_there {
                faults.push(Fault::new(file, number, format!("links to {target}, which is not there")));
            }
        }
    }
    faults
}

/// Targets of the links of a line: `[text](target)` outside of `code`, and `[name]: target`.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    // Every second piece between backticks is code; a link's text may hold code, so its target is looked for in the
    // piece in which the bracket closes.
    for (piece, is_code) in line.split('`').zip([false, true].into_iter().cycle()) {
        let mut rest = if is_code { "" } else { piece };
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, tail)) = after.split_once(')') else { break };
            found.push(target.split_whitespace().next().unwrap_or_default());
            rest = tail;
        }
    }
    if let Some((_, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
        found.push(target.split_whitespace().next().unwrap_or_default());
    }
    found
}

/// The path within the tree; `None` when it leaves the tree.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let paths = ["README.md", "docs", "docs/a.md", "docs/adr", "docs/adr/1.md"].map(str::to_owned).into();
        let file = File { path: "docs/a.md".to_owned(), text: text.to_owned() };
        check(&file, &paths).into_iter().map(|fault| format!("{}: {}", fault.line, fault.what)).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[a](adr/1.md) [b](../README.md#x) [c](#here) [d](https://example.com/x) [e](adr/) [`f`](./adr)\n\
                    [g]: adr/1.md\n`[h](gone.md)`\n```\n[i](gone.md)\n```\n";
        assert!(faults(text).is_empty(), "{:?}", faults(text));
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](gone.md)\n[b](adr/1.md) and [`c`](adr/2.md#x \"title\")\n[d](../../outside.md)\n[e]: gone.md\n";
        let expected = [
            "1: links to gone.md, which is not there",
            "2: links to adr/2.md#x, which is not there",
            "3: links to ../../outside.md, which is not there",
            "4: links to gone.md, which is not there",
        ];
        assert_eq!(faults(text), expected);
        assert!(faults("```\n```\n[a](gone.md)\n").len() == 1, "code has an end");
    }
}
