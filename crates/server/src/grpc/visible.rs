//! Parked orders as far as a caller may see them.
//!
//! The index runs over all merchants. Rows of foreign ones are neither shown nor named in a page token, which is only
//! ever the key of a visible row or the place just before a visible merchant.

use std::collections::BTreeSet;
use std::ops::Bound;

use paymux_domain::name::{MerchantId, OrderKey};
use paymux_domain::ports::{ParkedOrder, StoreError};

use crate::access::MerchantScope;
use crate::store_view::StoreView;

/// The characters of names in their order.
const ALPHABET: &str = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// The longest name.
const NAME_CHARS_MAX: usize = 32;

/// Rows of a page; there may be none although more follow.
#[derive(Debug)]
pub(super) struct VisiblePage {
    pub(super) rows: Vec<ParkedOrder>,
    /// Rows that were read for it, visible or not.
    pub(super) read: usize,
    /// Behind which key the next page begins; `None` at the end.
    pub(super) next: Option<OrderKey>,
}

/// The merchants of a caller that a filter lets through.
pub(super) fn narrowed(scope: &MerchantScope, merchant_id: Option<&str>) -> MerchantScope {
    let Some(merchant_id) = merchant_id else { return scope.clone() };
    let wanted = merchant_id.parse().ok().filter(|merchant_id| scope.holds(merchant_id));
    MerchantScope::Only(wanted.into_iter().collect())
}

/// At most `limit` rows behind a key, by one read.
pub(super) async fn parked(
    store: &StoreView,
    scope: &MerchantScope,
    after: Option<&OrderKey>,
    limit: usize,
) -> Result<VisiblePage, StoreError> {
    let MerchantScope::Only(merchants) = scope else {
        let rows = store.list_parked(after, limit).await?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.key.clone());
        return Ok(VisiblePage { read: rows.len(), rows, next });
    };
    let begin = match after {
        Some(key) => next_visible(merchants, key),
        None => merchants.first().map(before),
    };
    let Some(begin) = begin else { return Ok(VisiblePage { rows: Vec::new(), read: 0, next: None }) };
    let mut rows = store.list_parked(begin.as_ref(), limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit);
    let next = last.and_then(|row| next_visible(merchants, &row.key)).flatten();
    let read = rows.len();
    rows.retain(|row| merchants.contains(&row.key.merchant_id));
    Ok(VisiblePage { rows, read, next })
}

/// Where to go on behind a key: there, or just before the next visible merchant; `None` when there is none.
fn next_visible(merchants: &BTreeSet<MerchantId>, key: &OrderKey) -> Option<Option<OrderKey>> {
    if merchants.contains(&key.merchant_id) {
        return Some(Some(key.clone()));
    }
    merchants.range((Bound::Excluded(&key.merchant_id), Bound::Unbounded)).next().map(before)
}

/// The last key that could stand before all keys of a merchant; `None` when none could.
fn before(merchant_id: &MerchantId) -> Option<OrderKey> {
    let (rest, last) = merchant_id.as_str().split_at(merchant_id.as_str().len() - 1);
    let lower = ALPHABET.find(last).filter(|at| *at > 0).and_then(|at| ALPHABET.get(at - 1..at));
    let predecessor = match lower {
        // Every longer name with this beginning comes before it.
        Some(lower) => format!("{:z<NAME_CHARS_MAX$}", format!("{rest}{lower}")),
        None => rest.to_owned(),
    };
    let order_no = "z".repeat(NAME_CHARS_MAX);
    Some(OrderKey { merchant_id: predecessor.parse().ok()?, order_no: order_no.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use paymux_backends::memory::MemoryStore;
    use paymux_domain::fact::{AttentionReason, Cause, Fact, FactBody, FactKey};
    use paymux_domain::ports::OrderStore;
    use paymux_domain::time::Timestamp;
    use std::sync::Arc;

    use super::*;

    fn key(text: &str) -> OrderKey {
        let (merchant_id, order_no) = text.split_once('/').unwrap();
        OrderKey { merchant_id: merchant_id.parse().unwrap(), order_no: order_no.parse().unwrap() }
    }

    fn only(merchants: &[&str]) -> MerchantScope {
        MerchantScope::Only(merchants.iter().map(|id| id.parse().unwrap()).collect())
    }

    #[test]
    fn just_before_a_merchant_means_behind_everything_of_the_ones_before_it() {
        let names = ["-", "-a", "0", "A", "Z", "_", "a", "a-", "a-z", "a0", "m", "m0", "m1", "z"];
        for (n, name) in names.iter().enumerate() {
            let bound = before(&name.parse().unwrap());
            assert_eq!(bound.is_none(), *name == "-", "{name}");
            let Some(bound) = bound else { continue };
            assert!(bound < key(&format!("{name}/-")), "{name}: {bound}");
            for earlier in &names[..n] {
                assert!(key(&format!("{earlier}/{}", "z".repeat(32))) <= bound, "{earlier} {name}: {bound}");
            }
        }
    }

    #[test]
    fn alphabetical_means_what_it_means_for_names() {
        assert!(ALPHABET.chars().zip(ALPHABET.chars().skip(1)).all(|(one, next)| one < next));
        assert!(
            ALPHABET.parse::<paymux_domain::name::AccountId>().is_ok(),
            "every character is one of names"
        );
        assert_eq!(ALPHABET.len(), 64);
    }

    async fn store(keys: &[&str]) -> StoreView {
        let store = MemoryStore::new();
        let parked = Fact {
            key: FactKey::Attention(AttentionReason::RetriesExhausted, 1),
            body: FactBody::Attention("look".to_owned()),
            time: Timestamp::EPOCH,
            cause: Cause::Timer,
        };
        for text in keys {
            store.add_facts(&key(text), std::slice::from_ref(&parked)).await.unwrap();
        }
        StoreView::new(Arc::new(store))
    }

    /// All rows by pages of a size, and every key behind which a page began.
    async fn walk(store: &StoreView, scope: &MerchantScope, limit: usize) -> (Vec<String>, Vec<OrderKey>) {
        let (mut rows, mut begun) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let page = parked(store, scope, after.as_ref(), limit).await.unwrap();
            rows.extend(page.rows.iter().map(|row| row.key.to_string()));
            after = page.next;
            match &after {
                Some(key) => begun.push(key.clone()),
                None => return (rows, begun),
            }
            assert!(begun.len() < 100, "it does not end: {begun:?}");
        }
    }

    #[tokio::test]
    async fn a_caller_sees_its_rows_each_once_and_no_token_names_another_merchant() {
        let all = ["a/1", "a/2", "b/1", "b/2", "b/3", "c/1", "d/1", "d/2", "e/1"];
        let store = store(&all).await;
        for limit in 1..=10 {
            assert_eq!(walk(&store, &MerchantScope::All, limit).await.0, all, "{limit}");
            for mine in [&["b", "d"][..], &["a"], &["e", "x"], &["-", "c"], &["x"], &[]] {
                let (rows, begun) = walk(&store, &only(mine), limit).await;
                let wanted: Vec<_> = all.iter().filter(|key| mine.contains(&&key[..1])).copied().collect();
                assert_eq!(rows, wanted, "{mine:?} by {limit}");
                let foreign = |key: &&OrderKey| {
                    let is_mine = mine.contains(&key.merchant_id.as_str());
                    !is_mine && !mine.iter().any(|id| before(&id.parse().unwrap()).as_ref() == Some(*key))
                };
                assert_eq!(begun.iter().find(foreign), None, "{mine:?} by {limit}");
            }
        }
    }

    #[tokio::test]
    async fn a_page_that_begins_at_a_foreign_key_goes_on_at_the_next_visible_merchant() {
        let store = store(&["a/1", "b/1", "c/1"]).await;
        let page = parked(&store, &only(&["c"]), Some(&key("a/1")), 10).await.unwrap();
        assert_eq!(page.rows.iter().map(|row| row.key.to_string()).collect::<Vec<_>>(), ["c/1"]);
    }

    #[tokio::test]
    async fn rows_that_nobody_sees_are_counted_as_read() {
        let store = store(&["a/1", "b/1", "c/1", "d/1"]).await;
        let page = parked(&store, &only(&["a", "d"]), None, 10).await.unwrap();
        assert_eq!((page.rows.len(), page.read), (2, 4));
    }

    #[test]
    fn a_filter_narrows_and_never_widens() {
        assert_eq!(narrowed(&only(&["a", "b"]), None), only(&["a", "b"]));
        assert_eq!(narrowed(&only(&["a", "b"]), Some("b")), only(&["b"]));
        assert_eq!(narrowed(&only(&["a"]), Some("b")), only(&[]));
        assert_eq!(narrowed(&MerchantScope::All, Some("b")), only(&["b"]));
        assert_eq!(narrowed(&MerchantScope::All, Some("no name!")), only(&[]));
    }
}
