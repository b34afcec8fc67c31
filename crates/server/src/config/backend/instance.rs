//! What a process is called that was given no name.

use std::fs;

/// Where Linux keeps the name of the machine.
const HOST_FILES: [&str; 2] = ["/proc/sys/kernel/hostname", "/etc/hostname"];

/// Characters that are taken of the machine's name: with the process's number within the bounds of `instance`.
const HOST_CHARS_MAX: usize = 28;

/// The name of the machine and the number of the process.
pub(super) fn of_process() -> String {
    let host = HOST_FILES.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    named(&host, std::process::id())
}

fn named(host: &str, process: u32) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let host: String = host.trim().chars().filter(fits).take(HOST_CHARS_MAX).collect();
    let host = if host.is_empty() { "host" } else { &host };
    format!("{host}-{process}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_the_characters_that_names_may_have() {
        assert_eq!(named("pay 1.example\n", 42), "pay1.example-42");
        assert_eq!(named("支付", 7), "host-7");
        assert_eq!(named(&"h".repeat(200), u32::MAX).len(), 39);
    }
}
