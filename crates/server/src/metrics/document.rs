//! The lists of `docs/metrics.md`, made from the catalog.

use std::fmt::Write as _;
use std::time::Duration;

use paymux_engine::tally::BOUNDS_US;

use super::catalog::{ALL, Family};

/// The lists: one table for each heading, then the bounds of the buckets.
pub(crate) fn document() -> String {
    let mut text = String::new();
    for (title, families) in ALL {
        // Writing to a string cannot fail.
        let _ok = write!(text, "### {title}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n");
        for Family { name, kind, labels, help } in *families {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let _ok = writeln!(text, "| `{name}` | {} | {} | {help} |", kind.as_str(), labels.join(", "));
        }
        text.push('\n');
    }
    let bounds = BOUNDS_US.map(|us| Duration::from_micros(us).as_secs_f64().to_string());
    let _ok = writeln!(
        text,
        "Every histogram has the same buckets, with these upper bounds in seconds: {}, and without bound.",
        bounds.join(", ")
    );
    text
}

/// The same for programs.
pub(crate) fn families() -> Vec<serde_json::Value> {
    let all = ALL.iter().flat_map(|(_, families)| families.iter());
    all.map(|Family { name, kind, labels, help }| {
        serde_json::json!({ "name": name, "kind": kind.as_str(), "labels": labels, "meaning": help })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::catalog::named;

    const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");
    const RUNBOOK: &str = include_str!("../../../../docs/runbook.md");
    const ALERTS: &str = include_str!("../../../../ops/prometheus/alerts.yaml");
    const ALERTS_TEST: &str = include_str!("../../../../ops/prometheus/alerts_test.yaml");
    const DASHBOARD: &str = include_str!("../../../../ops/prometheus/dashboard.json");

    #[test]
    fn the_document_holds_the_lists_as_they_are() {
        let (_, rest) = DOCUMENT.split_once("<!-- begin: paymux metrics -->\n").expect("a beginning");
        let (lists, _) = rest.split_once("<!-- end -->").expect("an end");
        assert_eq!(lists.trim(), super::document().trim(), "put in what `paymux metrics` prints");
    }

    #[test]
    fn nobody_names_a_metric_that_there_is_not() {
        for (file, text) in [
            ("metrics.md", DOCUMENT),
            ("runbook.md", RUNBOOK),
            ("alerts.yaml", ALERTS),
            ("alerts_test.yaml", ALERTS_TEST),
            ("dashboard.json", DASHBOARD),
        ] {
            let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let names: BTreeSet<&str> = words.filter(|word| word.starts_with("paymux_")).collect();
            let unknown: Vec<_> = names.iter().filter(|name| named(name).is_none()).collect();
            assert!(!names.is_empty() && unknown.is_empty(), "{file}: {unknown:?}");
        }
    }

    /// What follows a word at the beginning of lines, sorted.
    fn after<'a>(text: &'a str, word: &str) -> BTreeSet<&'a str> {
        text.lines().filter_map(|line| line.trim_start().strip_prefix(word)).collect()
    }

    #[test]
    fn every_alert_has_its_unit_tests_and_its_section_in_the_runbook() {
        let alerts = after(ALERTS, "- alert: ");
        assert!(alerts.len() > 20);
        assert_eq!(after(RUNBOOK, "## "), alerts);
        assert_eq!(after(ALERTS_TEST, "alertname: "), alerts);
        for alert in alerts {
            let test = |what: &str| ALERTS_TEST.contains(&format!("- name: {alert} {what}\n"));
            assert!(test("fires") && test("is silent"), "{alert}");
            let place = format!("runbook: docs/runbook.md#{}\n", alert.to_lowercase());
            assert!(ALERTS.contains(&place), "{place}");
        }
    }
}
