//! The window of a partition: records in work, and the position that may be committed.

use std::collections::BTreeSet;

use paymux_domain::ports::Offset;

/// Records of one partition that are in work.
#[derive(Debug, Default)]
pub struct Window {
    in_work: BTreeSet<Offset>,
    next: Offset,
}

impl Window {
    /// A window of a partition whose first needed record is `start`.
    #[must_use]
    pub const fn starting_at(start: Offset) -> Self {
        Self { in_work: BTreeSet::new(), next: start }
    }

    /// A record was delivered. One that was delivered before (a seek backwards) is taken again.
    pub fn enter(&mut self, offset: Offset) {
        self.in_work.insert(offset);
        self.next = self.next.max(offset + 1);
    }

    /// A record is done: its facts are stored, its events acknowledged.
    pub fn leave(&mut self, offset: Offset) {
        self.in_work.remove(&offset);
    }

    /// The first offset that is still needed: the lowest in work, or one past the highest delivered.
    #[must_use]
    pub fn committable(&self) -> Offset {
        self.in_work.first().copied().unwrap_or(self.next)
    }

    /// One past the highest delivered, whatever is in work.
    #[must_use]
    pub const fn delivered(&self) -> Offset {
        self.next
    }

    /// Records in work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_work.len()
    }

    /// Whether nothing is in work.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_work.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_record_in_work_holds_the_position() {
        let mut window = Window::starting_at(10);
        assert_eq!(window.committable(), 10);
        for offset in [10, 11, 13] {
            window.enter(offset);
        }
        window.leave(11);
        assert_eq!(window.committable(), 10);
        window.leave(10);
        assert_eq!(window.committable(), 13);
        window.leave(13);
        assert_eq!((window.committable(), window.is_empty()), (14, true));
    }
}
