//! One door per partition: while its leader cannot take records, one append at a time tries, and the others are
//! refused at once instead of being let into a queue of unknown outcomes.

use parking_lot::Mutex;

/// The doors of all partitions.
#[derive(Debug)]
pub(super) struct Doors {
    doors: Vec<Mutex<Door>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Door {
    shut: bool,
    probing: bool,
}

/// Leave to send a record, or some that came together; dropping it without an outcome says nothing about the partition.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    door: &'a Mutex<Door>,
    is_probe: bool,
}

impl Doors {
    pub(super) fn new(count: usize) -> Self {
        Self { doors: (0..count).map(|_| Mutex::default()).collect() }
    }

    /// Leave to send to a partition; `None` when it is shut and somebody is trying already, or there is no such one.
    pub(super) fn enter(&self, index: usize) -> Option<Pass<'_>> {
        let door = self.doors.get(index)?;
        let mut state = door.lock();
        if !state.shut {
            return Some(Pass { door, is_probe: false });
        }
        if state.probing {
            return None;
        }
        state.probing = true;
        Some(Pass { door, is_probe: true })
    }
}

impl Pass<'_> {
    /// The partition took what was sent.
    pub(super) fn succeeded(self) {
        self.door.lock().shut = false;
    }

    /// Of some of it nothing was heard in time.
    pub(super) fn timed_out(self) {
        self.door.lock().shut = true;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.door.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shut_door_lets_one_at_a_time_try_until_one_comes_through() {
        let doors = Doors::new(2);
        let (first, second) = (doors.enter(0), doors.enter(0));
        first.expect("it is open").timed_out();
        let probe = doors.enter(0).expect("one may try");
        assert!(doors.enter(0).is_none());
        second.expect("it was open").timed_out();
        assert!(doors.enter(0).is_none(), "a late time-out of another lets nobody in");
        drop(probe);
        let probe = doors.enter(0).expect("another may try");
        assert!(doors.enter(1).is_some(), "the other partition is open");
        probe.succeeded();
        assert!(doors.enter(0).is_some() && doors.enter(0).is_some());
        assert!(doors.enter(2).is_none());
    }
}
