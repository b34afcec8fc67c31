//! The page that a scrape gets, in the text format of Prometheus: each family once, its samples below it.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use paymux_engine::tally::{BOUNDS_US, Distribution};

use super::catalog::{Family, Kind};

/// What is sent as the type of the page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page as far as it is written.
#[derive(Debug, Default)]
pub(super) struct Page(String);

/// The samples of one family.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    page: &'a mut Page,
    family: &'static Family,
}

impl Page {
    /// Begins a family.
    pub(super) fn family(&mut self, family: &'static Family) -> Rows<'_> {
        let Family { name, kind, help, .. } = family;
        // Writing to a string cannot fail.
        let _ok = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str());
        Rows { page: self, family }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.0.push_str(suffix);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push_str(if place == 0 { "{" } else { "," });
            self.0.push_str(label);
            self.0.push_str("=\"");
            escape(&mut self.0, text);
            self.0.push('"');
        }
        self.0.push_str(if labels.is_empty() { " " } else { "} " });
        // Writing to a string cannot fail.
        let _ok = writeln!(self.0, "{value}");
    }
}

fn escape(page: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\\' => page.push_str("\\\\"),
            '"' => page.push_str("\\\""),
            '\n' => page.push_str("\\n"),
            c => page.push(c),
        }
    }
}

impl Rows<'_> {
    fn labels<'b>(&self, values: &[&'b str]) -> Vec<(&'static str, &'b str)> {
        assert_eq!(self.family.labels.len(), values.len(), "labels of {}", self.family.name);
        self.family.labels.iter().copied().zip(values.iter().copied()).collect()
    }

    /// A sample of a counter or a gauge, with the values of the family's labels in their order.
    pub(super) fn value(&mut self, labels: &[&str], value: impl Display) {
        let labels = self.labels(labels);
        self.page.sample(self.family.name, "", &labels, value);
    }

    /// The same in seconds.
    pub(super) fn seconds(&mut self, labels: &[&str], value: Duration) {
        self.value(labels, value.as_secs_f64());
    }

    /// All samples of a histogram, in seconds.
    pub(super) fn histogram(&mut self, labels: &[&str], told: &Distribution) {
        assert_eq!(self.family.kind, Kind::Histogram, "{}", self.family.name);
        let name = self.family.name;
        let labels = self.labels(labels);
        let bounds = BOUNDS_US.iter().map(|us| Duration::from_micros(*us).as_secs_f64().to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(told.cumulative) {
            let with_bound: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.page.sample(name, "_bucket", &with_bound, count);
        }
        let sum = Duration::from_micros(told.sum_us).as_secs_f64();
        self.page.sample(name, "_sum", &labels, sum);
        self.page.sample(name, "_count", &labels, told.count());
    }
}

#[cfg(test)]
mod tests {
    use paymux_engine::tally::Histogram;

    use super::*;

    static PLAIN: Family =
        Family { name: "a_total", kind: Kind::Counter, labels: &["x", "y"], help: "Of a." };
    static TIMES: Family = Family { name: "t_seconds", kind: Kind::Histogram, labels: &["x"], help: "Of t." };

    #[test]
    fn a_family_is_told_once_and_its_labels_cannot_break_out() {
        let mut page = Page::default();
        let mut rows = page.family(&PLAIN);
        rows.value(&["1", "plain"], 7);
        rows.value(&["2", "a\"b\\c\nd"], 8_u64);
        let wanted = "# HELP a_total Of a.\n# TYPE a_total counter\na_total{x=\"1\",y=\"plain\"} 7\n\
                      a_total{x=\"2\",y=\"a\\\"b\\\\c\\nd\"} 8\n";
        assert_eq!(page.into_text(), wanted);
    }

    #[test]
    fn a_histogram_is_told_in_seconds_and_ends_with_all_of_them() {
        let (mut page, histogram) = (Page::default(), Histogram::default());
        for ms in [1, 2, 60_000] {
            histogram.record(Duration::from_millis(ms));
        }
        page.family(&TIMES).histogram(&["p"], &histogram.read());
        let text = page.into_text();
        for line in [
            "# TYPE t_seconds histogram",
            "t_seconds_bucket{x=\"p\",le=\"0.0005\"} 0",
            "t_seconds_bucket{x=\"p\",le=\"0.001\"} 1",
            "t_seconds_bucket{x=\"p\",le=\"0.0025\"} 2",
            "t_seconds_bucket{x=\"p\",le=\"30\"} 2",
            "t_seconds_bucket{x=\"p\",le=\"+Inf\"} 3",
            "t_seconds_sum{x=\"p\"} 60.003",
            "t_seconds_count{x=\"p\"} 3",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }
}
