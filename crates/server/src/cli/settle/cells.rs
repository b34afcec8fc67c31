//! The cells of one line of an export: read, checked, and made a line, with every fault at once.

use paymux_domain::name::NameError;

use super::Source;
use super::columns::{Column, Columns, TIME_FORMAT, beijing_time, fen, whole_fen};
use super::export::Fault;
use super::judge::{Line, What};
use super::mapping::{Mapping, Status, Unit};
use crate::ingest::check_provider_refund_no;

/// The cells of one line.
pub(super) struct Cells<'a> {
    pub(super) source: &'a Source,
    pub(super) columns: &'a Columns,
    pub(super) record: &'a csv::StringRecord,
    pub(super) line: u64,
    pub(super) faults: Vec<Fault>,
}

impl Cells<'_> {
    fn text(&self, column: Column) -> &str {
        self.columns.cell(self.record, column).1
    }

    fn fault(&mut self, column: Column, reason: impl Into<String>) {
        let name = self.columns.name(column).to_owned();
        self.faults.push(Fault { line: self.line, column: name, reason: reason.into() });
    }

    fn name<T: std::str::FromStr<Err = NameError>>(&mut self, column: Column) -> Option<T> {
        self.named(column, "")
    }

    /// A name that has something behind it there.
    fn named<T: std::str::FromStr<Err = NameError>>(&mut self, column: Column, end: &str) -> Option<T> {
        let Some(text) = self.text(column).strip_suffix(end) else {
            self.fault(column, format!("must end with {end}"));
            return None;
        };
        match text.parse() {
            Ok(name) => Some(name),
            Err(NameError { allowed, .. }) => {
                self.fault(column, format!("must be {allowed}"));
                None
            }
        }
    }

    fn money(&mut self, column: Column) -> Option<i64> {
        let minor = self.minor(column).filter(|minor| *minor > 0);
        if minor.is_none() {
            let example = if self.is_in_fen() { "fen, such as 1234" } else { "yuan, such as 12.34" };
            self.fault(column, format!("must be an amount above zero in {example}"));
        }
        minor
    }

    fn is_in_fen(&self) -> bool {
        self.source.mapping.as_ref().is_some_and(|mapping| mapping.unit == Unit::Fen)
    }

    fn minor(&self, column: Column) -> Option<i64> {
        if self.is_in_fen() { whole_fen(self.text(column)) } else { fen(self.text(column)) }
    }

    /// A fee that is there must be an amount.
    fn fee(&mut self) -> Option<i64> {
        let fee = self.minor(Column::Fee);
        if fee.is_none() && !self.text(Column::Fee).is_empty() {
            self.fault(Column::Fee, "must be an amount without a sign, or nothing");
        }
        fee
    }

    /// A time that is there must be one.
    fn time(&mut self, column: Column) -> Option<prost_types::Timestamp> {
        let text = self.text(column);
        if text.is_empty() {
            return None;
        }
        let format = self.source.mapping.as_ref().map_or(TIME_FORMAT, |mapping| mapping.time_format.as_str());
        let time = beijing_time(format, text);
        if time.is_none() {
            let example = jiff::civil::date(2026, 5, 10).at(8, 0, 0, 0).strftime(format).to_string();
            self.fault(column, format!("must be a time such as {example}"));
        }
        time
    }

    fn payment(&mut self) -> Option<What> {
        let trade_no = self.name(Column::TradeNo);
        let total_minor = self.money(Column::Total);
        let success_time = self.time(Column::Time);
        let fee_minor = self.fee();
        Some(What::Payment { trade_no: trade_no?, total_minor: total_minor?, success_time, fee_minor })
    }

    /// Whose bill the line is of, and in what money; neither provider's text decides what the file is of.
    fn belongs(&mut self) {
        for (column, wanted) in
            [(Column::Mchid, &self.source.mchid), (Column::SubMchid, &self.source.sub_mchid)]
        {
            let (name, found) = self.columns.cell(self.record, column);
            // Where there is no sub-merchant the bill has a nought.
            let is_same = found == wanted || (wanted.is_empty() && found == "0");
            if !is_same && !name.is_empty() {
                let wanted = if wanted.is_empty() { "none" } else { wanted };
                self.fault(
                    column,
                    format!("is {found}, the account's is {wanted}: see --mchid and --sub-mchid"),
                );
            }
        }
        let (name, currency) = self.columns.cell(self.record, Column::Currency);
        if !name.is_empty() && currency != "CNY" {
            self.fault(Column::Currency, "must be CNY");
        }
    }

    /// The provider's number of a refund, as the server takes it.
    fn provider_refund_no(&mut self) -> Option<String> {
        let text = self.text(Column::ProviderRefundNo).to_owned();
        match check_provider_refund_no(&text) {
            Ok(()) => Some(text),
            Err(allowed) => {
                self.fault(Column::ProviderRefundNo, allowed);
                None
            }
        }
    }

    fn refund(&mut self) -> Option<What> {
        let out_refund_no = self.name(Column::OutRefundNo);
        let total_minor = self.money(Column::RefundTotal);
        let done = self.text(Column::RefundState) == "SUCCESS";
        let provider_refund_no = self.provider_refund_no();
        Some(What::Refund {
            out_refund_no: out_refund_no?,
            total_minor: total_minor?,
            done,
            provider_refund_no: provider_refund_no?,
        })
    }

    pub(super) fn mapped(&mut self, mapping: &Mapping) -> Option<Line> {
        let out_trade_no = self.named(Column::OutTradeNo, &mapping.out_trade_no_end);
        let what = match mapping.status(self.text(Column::State)) {
            Some(Status::Paid) => self.payment(),
            Some(Status::Refund) => self.refund_done(),
            Some(Status::Refunded) => Some(What::Refunded),
            Some(Status::Unpaid) => Some(What::Unpaid("not paid")),
            None => {
                self.fault(Column::State, format!("must be one of: {}", mapping.words()));
                None
            }
        };
        Some(Line { number: self.line, out_trade_no: out_trade_no?, what: what? })
    }

    /// A refund that is done, whose number at the provider the export need not have.
    fn refund_done(&mut self) -> Option<What> {
        let out_refund_no = self.name(Column::OutRefundNo);
        let total_minor = self.money(Column::RefundTotal);
        let has_number = !self.text(Column::ProviderRefundNo).is_empty();
        let provider_refund_no = if has_number { self.provider_refund_no() } else { Some(String::new()) };
        Some(What::Refund {
            out_refund_no: out_refund_no?,
            total_minor: total_minor?,
            done: true,
            provider_refund_no: provider_refund_no?,
        })
    }

    pub(super) fn wechatpay(&mut self) -> Option<Line> {
        self.belongs();
        let out_trade_no = self.name(Column::OutTradeNo);
        let what = match self.text(Column::State) {
            "SUCCESS" => self.payment(),
            "REFUND" => self.refund(),
            "REVOKED" => Some(What::Unpaid("revoked before it was paid")),
            _ => {
                self.fault(Column::State, "must be SUCCESS, REFUND or REVOKED");
                None
            }
        };
        Some(Line { number: self.line, out_trade_no: out_trade_no?, what: what? })
    }

    pub(super) fn payjs(&mut self) -> Option<Line> {
        let out_trade_no = self.name(Column::OutTradeNo);
        let what = match self.text(Column::State) {
            "已支付" | "支付成功" | "SUCCESS" | "1" => self.payment(),
            "已退款" | "REFUND" => Some(What::Refunded),
            "未支付" | "已关闭" | "CLOSED" | "0" => Some(What::Unpaid("not paid")),
            _ => {
                self.fault(Column::State, "must be 已支付, 已退款, 未支付 or 已关闭");
                None
            }
        };
        Some(Line { number: self.line, out_trade_no: out_trade_no?, what: what? })
    }
}
