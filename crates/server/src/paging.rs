//! Pages of a list: their size, and tokens that hold for the list and the filter alone that they were given for.

use std::fmt::Debug;

use paymux_domain::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use paymux_domain::shard::stable_hash;

use crate::ingest::Refusal;

/// The pages of one list under one filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages {
    list: &'static str,
    filter: u64,
    size: usize,
}

impl Pages {
    /// The pages of a list, by its name in tokens, with everything in the request that chooses its entries.
    ///
    /// # Errors
    /// The page size is not allowed.
    pub(crate) fn of(list: &'static str, filter: &impl Debug, page_size: i32) -> Result<Self, Refusal> {
        let size = size_of(page_size).ok_or_else(|| Refusal::field("page_size", size_allowed()))?;
        Ok(Self { list, filter: stable_hash(format!("{list} {filter:?}").as_bytes()), size })
    }

    /// Entries of a page, at least 1.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// The token of a page that begins after a place.
    pub(crate) fn token(&self, place: &str) -> String {
        format!("{}.{:016x}.{place}", self.list, self.filter)
    }

    /// The place in a token; `None` for the first page.
    ///
    /// # Errors
    /// The token is not one of this list with this filter.
    pub(crate) fn place<T>(
        &self,
        token: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        if token.is_empty() {
            return Ok(None);
        }
        let place = token.strip_prefix(self.token("").as_str()).and_then(read);
        place.map(Some).ok_or(Refusal::PageToken)
    }
}

/// Entries of a page, 0 for the usual number; `None` when it is not allowed.
pub(crate) fn size_of(number: i32) -> Option<usize> {
    match u32::try_from(number).ok()? {
        0 => usize::try_from(PAGE_SIZE_DEFAULT).ok(),
        size if size <= PAGE_SIZE_MAX => usize::try_from(size).ok(),
        _ => None,
    }
}

/// Which page sizes are allowed.
pub(crate) fn size_allowed() -> String {
    format!("must be 1 to {PAGE_SIZE_MAX}, or 0 for {PAGE_SIZE_DEFAULT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(pages: &Pages, token: &str) -> Result<Option<u8>, Refusal> {
        pages.place(token, |place| place.parse().ok())
    }

    #[test]
    fn a_token_holds_for_its_list_and_filter_alone() {
        let pages = Pages::of("a1", &"red", 10).unwrap();
        let token = pages.token("7");
        assert_eq!(place(&pages, &token), Ok(Some(7)));
        assert_eq!(place(&pages, ""), Ok(None));
        for (list, filter) in [("b1", "red"), ("a1", "blue"), ("a1", "")] {
            let other = Pages::of(list, &filter, 10).unwrap();
            assert_eq!(place(&other, &token), Err(Refusal::PageToken), "{other:?}");
        }
        for broken in ["nonsense", &pages.token("x"), &token[1..], &pages.token("")] {
            assert_eq!(place(&pages, broken), Err(Refusal::PageToken), "{broken}");
        }
    }

    #[test]
    fn a_page_has_1_to_1000_entries_and_100_unless_told() {
        let size = |number| Pages::of("a1", &(), number).map(|pages| pages.size());
        assert_eq!([size(0), size(1), size(1000)], [Ok(100), Ok(1), Ok(1000)]);
        for number in [-1, 1001, i32::MIN, i32::MAX] {
            assert!(matches!(size(number), Err(Refusal::Fields(faults)) if faults[0].field == "page_size"));
        }
    }
}
