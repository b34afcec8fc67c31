//! The progress bar on standard error; without a terminal nothing is shown.

use indicatif::{ProgressBar, ProgressStyle};

/// Two steps for each order: created, ended.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    orders: usize,
}

impl Progress {
    pub(super) fn new(orders: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(orders * 2).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} % {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        Self { bar, orders }
    }

    pub(super) fn created(&self, count: u64) {
        self.show(count, format!("{count} of {} orders created", self.orders));
    }

    pub(super) fn ended(&self, count: usize) {
        let position = u64::try_from(self.orders + count).unwrap_or(u64::MAX);
        self.show(position, format!("{count} of {} orders ended", self.orders));
    }

    fn show(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
