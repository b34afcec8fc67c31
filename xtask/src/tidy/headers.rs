//! Rule of module headers: each Rust file says in its first line what it is for.

use super::{Fault, File};

/// Checks that a Rust file opens with a sentence.
pub(super) fn check(file: &File) -> Option<Fault> {
    if !file.is_rust() || file.is_generated() {
        return None;
    }
    let first = file.text.lines().next().unwrap_or_default();
    let says_something = first.strip_prefix("//! ").is_some_and(|purpose| !purpose.trim().is_empty());
    (!says_something).then(|| Fault::new(file, 1, "must open with `//!` and one sentence of purpose"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_faulty(path: &str, text: &str) -> bool {
        check(&File { path: path.to_owned(), text: text.to_owned() }).is_some()
    }

    #[test]
    fn every_rust_file_opens_with_its_purpose() {
        assert!(!is_faulty("crates/a/src/x.rs", "//! Does x.\n\nfn x() {}\n"));
        for text in ["", "fn x() {}\n", "//!\nfn x() {}\n", "\n//! Late.\n", "/// Of an item.\nfn x() {}\n"] {
            assert!(is_faulty("crates/a/src/x.rs", text), "{text:?}");
        }
        assert!(!is_faulty("crates/proto/src/generated/x.rs", "fn x() {}\n"));
        assert!(!is_faulty("docs/x.md", "# X\n"));
    }
}
