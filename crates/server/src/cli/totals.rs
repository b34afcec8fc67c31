//! `paymux totals`: how much money moved, by business date, account, currency and kind.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::Args;
use paymux_domain::business_date::BusinessDate;
use paymux_proto::client::Client;
use paymux_proto::v1;
use serde_json::{Value, json};

use super::connect::ConnectArgs;
use super::movements::{self, MerchantArgs};
use super::order::{self, amount, kind};
use super::{Exit, Output};

/// Arguments of `totals`.
#[derive(Debug, Args)]
#[command(after_help = "\
Counts and sums every movement of money of the days: a row for each day, account, currency and kind. Kinds are PAYMENT,
LATE_PAYMENT (after the order was closed or had failed), DUPLICATE_PAYMENT (a second one of its order), REFUND and
AUTOMATIC_REFUND (the engine's own, of money that was late or paid twice). Sums are in minor units (fen). A day is one
in Asia/Shanghai, by the provider's time, else by the time at which the payment was recorded: by_record_time counts those.

Examples:
  paymux totals --date 2026-05-10
  paymux totals --date 2026-05-01 --to 2026-05-31 --merchant tea-house --output json")]
pub(super) struct TotalsArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(flatten)]
    merchants: MerchantArgs,
    /// The day, or the first one.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: BusinessDate,
    /// The last day.
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<BusinessDate>,
}

/// What is summed together. Fields are in the order of the rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    business_date: String,
    provider: String,
    account: String,
    currency: String,
    /// By its number, so that payments stand before refunds.
    kind: i32,
    kind_word: &'static str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    minor: i64,
    /// Of these, how many count for the day on which they were recorded.
    by_record_time: u64,
}

#[derive(Debug, Default)]
struct Totals(BTreeMap<Group, Sum>);

pub(super) async fn run(args: TotalsArgs, output: &Output) -> anyhow::Result<Exit> {
    let client = args.connect.connect().await?;
    order::ended(self::totals(&client, args, output).await.map(|()| Exit::Ok), output)
}

async fn totals(client: &Client, args: TotalsArgs, output: &Output) -> anyhow::Result<()> {
    let TotalsArgs { merchants, date, to, .. } = args;
    let range = movements::dates(date, to.unwrap_or(date));
    let mut totals = Totals::default();
    movements::each(client, &merchants, &range, |movement| totals.add(movement)).await?;
    if totals.0.is_empty() {
        output.remark("no money moved")?;
    }
    for (group, sum) in &totals.0 {
        output.print(line(group, sum), &as_json(group, sum))?;
    }
    Ok(())
}

impl Totals {
    /// Sums are exact: one that no longer fits is an error.
    fn add(&mut self, movement: &v1::Movement) -> anyhow::Result<()> {
        let amount = amount(movement).cloned().unwrap_or_default();
        let group = Group {
            business_date: movement.business_date.clone(),
            provider: movement.provider.clone(),
            account: movement.account.clone(),
            currency: amount.currency,
            kind: movement.kind,
            kind_word: kind(movement),
        };
        let too_much = || format!("the sum of {} of {} is too large", group.kind_word, group.business_date);
        let sum = self.0.entry(group.clone()).or_default();
        sum.minor = sum.minor.checked_add(amount.minor).with_context(too_much)?;
        sum.count += 1;
        let is_recorded = movement.business_date_basis() == v1::BusinessDateBasis::RecordTime;
        sum.by_record_time += u64::from(is_recorded);
        Ok(())
    }
}

/// What is not known, such as the account of a payment for a number that was never ordered here, is a dash.
fn line(group: &Group, sum: &Sum) -> String {
    let told = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let Group { business_date, provider, account, currency, kind_word, .. } = group;
    let Sum { count, minor, by_record_time } = sum;
    let route = format!("{} {}", told(provider), told(account));
    let recorded = match by_record_time {
        0 => String::new(),
        count => format!("  ({count} by record time)"),
    };
    format!(
        "{business_date}  {route:<28}  {kind_word:<17}  {count:>9}  {minor:>16} {}{recorded}",
        told(currency)
    )
}

fn as_json(group: &Group, sum: &Sum) -> Value {
    let told = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    json!({
        "business_date": group.business_date,
        "provider": told(&group.provider),
        "account": told(&group.account),
        "currency": told(&group.currency),
        "kind": group.kind_word,
        "count": sum.count,
        "sum_minor": sum.minor,
        "by_record_time": sum.by_record_time,
    })
}

#[cfg(test)]
mod tests {
    use paymux_proto::v1::movement::Moved;

    use super::*;

    fn payment(kind: v1::MovementKind, date: &str, account: &str, minor: i64) -> v1::Movement {
        let total = Some(v1::Amount { currency: "CNY".to_owned(), minor });
        v1::Movement {
            kind: kind.into(),
            business_date: date.to_owned(),
            business_date_basis: v1::BusinessDateBasis::RecordTime.into(),
            provider: "payjs".to_owned(),
            account: account.to_owned(),
            moved: Some(Moved::Payment(v1::Payment { total, ..v1::Payment::default() })),
            ..v1::Movement::default()
        }
    }

    #[test]
    fn days_accounts_and_kinds_are_counted_and_summed_apart() {
        use v1::MovementKind::{LatePayment, Payment};
        let mut totals = Totals::default();
        for movement in [
            payment(Payment, "2026-05-11", "a", 1),
            payment(LatePayment, "2026-05-10", "a", 2),
            payment(Payment, "2026-05-10", "b", 4),
            payment(Payment, "2026-05-10", "a", 8),
            payment(Payment, "2026-05-10", "a", 16),
        ] {
            totals.add(&movement).unwrap();
        }
        let rows: Vec<_> = totals
            .0
            .iter()
            .map(|(group, sum)| {
                let Group { business_date, account, kind_word, .. } = group;
                (business_date.as_str(), account.as_str(), *kind_word, sum.count, sum.minor)
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("2026-05-10", "a", "PAYMENT", 2, 24),
                ("2026-05-10", "a", "LATE_PAYMENT", 1, 2),
                ("2026-05-10", "b", "PAYMENT", 1, 4),
                ("2026-05-11", "a", "PAYMENT", 1, 1),
            ]
        );
        let (group, sum) = totals.0.first_key_value().unwrap();
        let text = line(group, sum);
        let words: Vec<_> = text.split_whitespace().collect();
        let expected = "2026-05-10 payjs a PAYMENT 2 24 CNY (2 by record time)";
        assert_eq!(words, expected.split(' ').collect::<Vec<_>>());
        assert_eq!(as_json(group, sum)["sum_minor"], 24);
    }

    #[test]
    fn a_sum_is_exact_or_refused() {
        let mut totals = Totals::default();
        let day = |minor| payment(v1::MovementKind::Payment, "2026-05-10", "a", minor);
        totals.add(&day(i64::MAX - 1)).unwrap();
        totals.add(&day(1)).unwrap();
        assert_eq!(totals.0.first_key_value().unwrap().1.minor, i64::MAX);
        assert!(totals.add(&day(1)).unwrap_err().to_string().contains("too large"));
    }
}
