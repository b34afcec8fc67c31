//! The refund ledger and the calling marks: read and written by consensus, one change of an order at a time.
//!
//! Every change is made from the version that was read, and raises it. So a change whose outcome is unknown can be
//! decided by reading again: either it is there, or the next change takes its version, and it can never land any more.

use paymux_domain::name::{OrderKey, RefundNo};
use paymux_domain::ports::{CallMark, LedgerEntry, Reserved};
use paymux_domain::shard::stable_hash;
use scylla::value::MaybeUnset;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::config::OPERATION_MAX;
use super::failure::Failure;
use super::statements::Cql;
use super::store::Tables;
use crate::ledger::{Ledger, LedgerRow};

/// Orders that wait for each other within one process, by hash: consensus on one row gains nothing from haste.
const TURNS: usize = 256;
/// Rounds of reading and writing.
const ROUNDS_MAX: usize = 8;

const TABLE: &str = "refund_ledger";

/// Whose turn it is to change an order's ledger, in this process.
pub(super) struct Turns(Vec<Mutex<()>>);

impl Turns {
    pub(super) fn new() -> Self {
        Self((0..TURNS).map(|_| Mutex::new(())).collect())
    }

    fn of(&self, order: &OrderKey) -> &Mutex<()> {
        let slot = stable_hash(order.to_string().as_bytes()) % u64::try_from(TURNS).unwrap_or(1);
        &self.0[usize::try_from(slot).unwrap_or(0)]
    }
}

/// Everything nullable: a partition of which only the version is left is one row without a number.
type Row = (Option<String>, Option<i64>, Option<String>, Option<i64>, Option<i64>, Option<i64>);

impl Tables {
    pub(super) async fn reserve(
        &self,
        order: &OrderKey,
        entry: &LedgerEntry,
        sum_max: i64,
        count_max: u32,
    ) -> Result<Reserved, Failure> {
        self.ruled(order, &entry.refund_no, |ledger| ledger.reserve(entry, sum_max, count_max)).await
    }

    pub(super) async fn release(&self, order: &OrderKey, refund_no: &RefundNo) -> Result<(), Failure> {
        self.ruled(order, refund_no, |ledger| ledger.release(refund_no)).await
    }

    pub(super) async fn mark(
        &self,
        order: &OrderKey,
        refund_no: &RefundNo,
        mark: CallMark,
    ) -> Result<bool, Failure> {
        self.ruled(order, refund_no, |ledger| ledger.mark(refund_no, mark)).await
    }

    pub(super) async fn entries(&self, order: &OrderKey) -> Result<Vec<LedgerEntry>, Failure> {
        Ok(self.ledger(order).await?.1.entries())
    }

    /// Applies one rule of the ledger, and writes the refund's row if it is another one afterwards.
    async fn ruled<T>(
        &self,
        order: &OrderKey,
        refund_no: &RefundNo,
        rule: impl Fn(&mut Ledger) -> T + Send + Sync,
    ) -> Result<T, Failure> {
        // Why a write of this change may have landed.
        let mut doubt = None;
        let rounds = async {
            let _turn = self.turns.of(order).lock().await;
            for _ in 0..ROUNDS_MAX {
                if let Some(outcome) = self.round(order, refund_no, &rule, &mut doubt).await? {
                    return Ok(outcome);
                }
            }
            Err(Failure::None(format!("{ROUNDS_MAX} rounds against other writers were not enough")))
        };
        let late = |_| Failure::None(format!("undecided after {} s", OPERATION_MAX.as_secs()));
        let outcome = timeout(OPERATION_MAX, rounds).await.map_err(late).flatten();
        match (outcome, doubt) {
            (Err(Failure::None(reason)), Some(doubt)) => Err(Failure::Unknown(format!("{doubt}; {reason}"))),
            (outcome, _) => outcome,
        }
    }

    /// Reads, applies the rule and writes; `None` if it must be read again.
    async fn round<T>(
        &self,
        order: &OrderKey,
        refund_no: &RefundNo,
        rule: &(impl Fn(&mut Ledger) -> T + Sync),
        doubt: &mut Option<String>,
    ) -> Result<Option<T>, Failure> {
        let (version, mut ledger) = self.ledger(order).await?;
        let before = ledger.row(refund_no).cloned();
        let outcome = rule(&mut ledger);
        let Some(row) = ledger.row(refund_no).filter(|row| before.as_ref() != Some(row)) else {
            return Ok(Some(outcome));
        };
        doubt.get_or_insert_with(|| "a write was under way".to_owned());
        match self.put_ledger_row(order, version, row).await {
            Ok(true) => Ok(Some(outcome)),
            // Another writer was first, or an earlier round of this one.
            Ok(false) => Ok(None),
            Err(Failure::Row(reason)) => Err(Failure::Row(reason)),
            Err(Failure::None(reason) | Failure::Unknown(reason)) => {
                *doubt = Some(reason);
                Ok(None)
            }
        }
    }

    async fn put_ledger_row(
        &self,
        order: &OrderKey,
        version: Option<i64>,
        LedgerRow { entry, mark }: &LedgerRow,
    ) -> Result<bool, Failure> {
        let next = version.unwrap_or(0) + 1;
        let number = mark.map_or(MaybeUnset::Unset, |mark| MaybeUnset::Set(i64::from(mark.number)));
        let token = mark.map_or(MaybeUnset::Unset, |mark| MaybeUnset::Set(mark.token.cast_signed()));
        let (merchant_id, order_no) = (order.merchant_id.as_str(), order.order_no.as_str());
        let (trade_no, refund_no) = (entry.trade_no.as_str(), entry.refund_no.as_str());
        let values = (next, trade_no, entry.minor, number, token, merchant_id, order_no, refund_no, version);
        self.driver.apply(Cql::PutLedgerRow, values).await
    }

    /// The ledger of an order with its version; `None` before the first reservation.
    async fn ledger(&self, order: &OrderKey) -> Result<(Option<i64>, Ledger), Failure> {
        let key = (order.merchant_id.as_str(), order.order_no.as_str());
        let rows = self.driver.rows::<Row>(Cql::ReadLedger, key, usize::MAX).await?;
        let version = rows.first().and_then(|(_, version, ..)| *version);
        let rows = rows.into_iter().filter_map(|row| ledger_row(row).transpose());
        Ok((version, Ledger::of(rows.collect::<Result<Vec<_>, _>>()?)))
    }
}

fn ledger_row(row: Row) -> Result<Option<LedgerRow>, Failure> {
    let (Some(refund_no), _, Some(trade_no), Some(minor), number, token) = row else { return Ok(None) };
    if minor < 0 {
        return Err(Failure::row(TABLE, "a reservation below zero"));
    }
    let entry = LedgerEntry {
        refund_no: refund_no.parse().map_err(|error| Failure::row(TABLE, error))?,
        trade_no: trade_no.parse().map_err(|error| Failure::row(TABLE, error))?,
        minor,
    };
    let mark = number.zip(token).map(|(number, token)| {
        let number = u32::try_from(number).map_err(|error| Failure::row(TABLE, error))?;
        Ok::<_, Failure>(CallMark { number, token: token.cast_unsigned() })
    });
    Ok(Some(LedgerRow { entry, mark: mark.transpose()? }))
}
