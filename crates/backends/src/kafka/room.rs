//! The room for records that were taken and of which nothing was heard yet: so many, and so many bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The room of a producer.
#[derive(Debug)]
pub(super) struct Room {
    records: AtomicUsize,
    bytes: AtomicUsize,
    records_max: usize,
    bytes_max: usize,
}

/// The place of a record; it is free again when this goes.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(super) fn new(records_max: usize, bytes_max: usize) -> Arc<Self> {
        let (records, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { records, bytes, records_max, bytes_max })
    }

    /// A place for a record; `None` when there is none.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize) -> Option<Place> {
        let records = self.records.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let all = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        // It gives back what was counted when it is not handed out.
        let place = Place { room: Arc::clone(self), bytes };
        (records <= self.records_max && all <= self.bytes_max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.records.fetch_sub(1, Ordering::Relaxed);
        self.room.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_records_nor_bytes_exceed_the_room_and_a_place_is_free_when_it_goes() {
        let room = Room::new(2, 100);
        let (first, second) = (room.enter(10).expect("room"), room.enter(10).expect("room"));
        assert!(room.enter(10).is_none(), "two records");
        drop(first);
        assert!(room.enter(91).is_none(), "100 bytes");
        let third = room.enter(90).expect("exactly");
        drop((second, third));
        assert!(room.enter(100).is_some());
    }
}
