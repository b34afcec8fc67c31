//! What a partition takes in: its window, and the back-pressure that a full one puts on the log.

use parking_lot::Mutex;
use paymux_domain::ports::Offset;

use crate::window::Window;

/// The window of one generation of a partition.
///
/// Delivery is paused when it is full and resumed when it is half empty again. Both happen under its lock, by whoever
/// enters or leaves: nothing waits for room, and a pause and a resumption cannot overtake each other.
#[derive(Debug)]
pub(crate) struct Intake {
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    window: Window,
    full: bool,
    halted: bool,
}

impl Intake {
    pub(crate) fn new(max: usize, start: Offset) -> Self {
        let window = Window::starting_at(start);
        Self { max, inner: Mutex::new(Inner { window, full: false, halted: false }) }
    }

    /// A record was delivered; `false` when nothing is taken in any more.
    pub(crate) fn enter(&self, offset: Offset, pause: impl FnOnce()) -> bool {
        let mut inner = self.inner.lock();
        if inner.halted {
            return false;
        }
        inner.window.enter(offset);
        if inner.window.len() >= self.max {
            inner.full = true;
            pause();
        }
        true
    }

    /// A record is done.
    pub(crate) fn leave(&self, offset: Offset, resume: impl FnOnce()) {
        let mut inner = self.inner.lock();
        inner.window.leave(offset);
        if inner.full && inner.window.len() <= self.max / 2 {
            inner.full = false;
            if !inner.halted {
                resume();
            }
        }
    }

    /// Takes nothing in any more: neither what is delivered now nor anything after it. The position stays before it.
    pub(crate) fn halt(&self, pause: impl FnOnce()) {
        self.inner.lock().halted = true;
        pause();
    }

    /// The first offset that is still needed.
    pub(crate) fn committable(&self) -> Offset {
        self.inner.lock().window.committable()
    }

    /// One past the highest delivered, whatever is in work.
    pub(crate) fn delivered(&self) -> Offset {
        self.inner.lock().window.delivered()
    }

    /// Records in work.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().window.len()
    }

    /// Whether nothing is taken in any more.
    pub(crate) fn is_halted(&self) -> bool {
        self.inner.lock().halted
    }

    /// Whether nothing is in work.
    pub(crate) fn is_empty(&self) -> bool {
        self.inner.lock().window.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_full_window_pauses_and_a_half_empty_one_resumes_once() {
        let (pauses, resumptions) = (Cell::new(0), Cell::new(0));
        let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
        let intake = Intake::new(4, 0);
        for offset in 0..4 {
            assert!(intake.enter(offset, || count(&pauses)));
        }
        assert_eq!(pauses.get(), 1);
        for offset in 0..4 {
            intake.leave(offset, || count(&resumptions));
        }
        assert_eq!(resumptions.get(), 1);
    }

    #[test]
    fn what_is_halted_takes_nothing_in_and_is_never_resumed() {
        let never = || panic!("it is halted");
        let intake = Intake::new(2, 7);
        assert!(intake.enter(7, || {}));
        assert!(intake.enter(8, || {}));
        intake.halt(|| {});
        assert!(!intake.enter(10, never));
        intake.leave(7, never);
        intake.leave(8, never);
        assert_eq!((intake.committable(), intake.is_empty()), (9, true));
    }
}
