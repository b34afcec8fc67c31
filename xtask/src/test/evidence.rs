//! What the output of the tests shows of the services that they need: who really used them, who went without.

use std::collections::BTreeSet;

use super::{Capability, SKIP_MARK};

/// What was seen of one capability.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Tests of its conformance suite that the harness counted as passed.
    passed: BTreeSet<String>,
    /// Tests that said that they were skipped for want of it.
    skipped: BTreeSet<String>,
}

impl Evidence {
    /// Takes in a line of the output.
    pub(super) fn read(&mut self, capability: Capability, line: &str) {
        let Some(need) = capability.need() else { return };
        if let Some(skipped) = line.strip_prefix(SKIP_MARK) {
            let (test, reason) = skipped.split_once(": ").unwrap_or((skipped, skipped));
            if reason.split(' ').any(|word| word == need.variable) {
                self.skipped.insert(test.to_owned());
            }
        } else if let Some(test) = passed_test(line)
            && test.split("::").any(|module| module == need.suite)
        {
            self.passed.insert(test.to_owned());
        }
    }

    /// What is missing for the claim that everything that needs it ran; `None`: nothing.
    pub(super) fn gap(&self) -> Option<String> {
        if let Some(first) = self.skipped.first() {
            return Some(format!(
                "{} tests that need it were skipped, {first} among them",
                self.skipped.len()
            ));
        }
        if self.passed.is_empty() {
            return Some("no test of its conformance suite passed".to_owned());
        }
        None
    }
}

/// The name in a line `test name ... ok`.
fn passed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... ok")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "test kafka::kafka_log::records_come_in_order ... ok";

    fn gap(lines: &[&str]) -> Option<String> {
        let mut evidence = Evidence::default();
        for line in lines {
            evidence.read(Capability::Kafka, line);
        }
        evidence.gap()
    }

    #[test]
    fn a_suite_that_passed_is_enough() {
        assert_eq!(gap(&[PASSED, "SKIPPED: buf lint: buf is not installed"]), None);
        // Another service's tests went without it.
        assert_eq!(gap(&[PASSED, "SKIPPED: cql::cql_store::x: PAYMUX_TEST_CQL names no node"]), None);
    }

    #[test]
    fn a_single_skipped_test_is_a_gap_whatever_else_passed() {
        let skipped = "SKIPPED: kafka_group::a_member_goes: PAYMUX_TEST_KAFKA names no broker";
        let found = "1 tests that need it were skipped, kafka_group::a_member_goes among them";
        assert_eq!(gap(&[PASSED, skipped]).as_deref(), Some(found));
        // A skipped test ends as passed for the harness.
        let own = "SKIPPED: kafka::kafka_log::records_come_in_order: PAYMUX_TEST_KAFKA names no broker";
        assert!(gap(&[PASSED, own]).is_some());
    }

    #[test]
    fn what_is_fetched_is_held_to_the_same() {
        let gap = |lines: &[&str]| {
            let mut evidence = Evidence::default();
            lines.iter().for_each(|line| evidence.read(Capability::Prometheus, line));
            evidence.gap().is_some()
        };
        let passed = "test metrics::prometheus_scrape::a_page_follows_the_rules_of_naming ... ok";
        assert!(gap(&[PASSED]) && !gap(&[passed]));
        let skipped =
            "SKIPPED: metrics::prometheus_scrape::x: PAYMUX_TEST_PROMETHEUS names no folder with promtool";
        assert!(gap(&[passed, skipped]));
    }

    #[test]
    fn what_does_not_run_is_a_gap_even_when_nobody_says_so() {
        let none = Some("no test of its conformance suite passed");
        for lines in [
            &[][..],
            &["test kafka::kafka_log::records_come_in_order ... FAILED"],
            &["test kafka::kafka_log::records_come_in_order ... ignored"],
            &["test memory::memory_log::records_come_in_order ... ok"],
            &["test kafka_topics::a_migration_makes_what_is_missing ... ok"],
        ] {
            assert_eq!(gap(lines).as_deref(), none, "{lines:?}");
        }
    }
}
