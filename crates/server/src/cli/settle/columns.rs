//! The columns of an export, found by the names in its head, and the cells of a line read by them.
//!
//! WeChat Pay's bill puts a backtick before each cell of its body. The names below are those of its bill of trades with
//! all columns, and of PayJS's list of orders `[assumed]`: neither provider documents them for machines.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, offset};

use super::{Kind, Source};

/// Which cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    OutTradeNo,
    TradeNo,
    State,
    Total,
    Fee,
    Time,
    OutRefundNo,
    ProviderRefundNo,
    RefundTotal,
    RefundState,
    Mchid,
    SubMchid,
    Currency,
}

/// A column: its names, the first found counts, and whether an export must have it.
type Names = (Column, &'static [&'static str], bool);

const WECHATPAY: [Names; 12] = [
    (Column::OutTradeNo, &["商户订单号"], true),
    (Column::TradeNo, &["微信订单号", "微信支付订单号"], true),
    (Column::State, &["交易状态"], true),
    (Column::Total, &["订单金额", "总金额"], true),
    (Column::Time, &["交易时间"], false),
    (Column::OutRefundNo, &["商户退款单号"], false),
    (Column::ProviderRefundNo, &["微信退款单号", "微信支付退款单号"], false),
    (Column::RefundTotal, &["申请退款金额", "退款金额"], false),
    (Column::RefundState, &["退款状态"], false),
    (Column::Mchid, &["商户号"], true),
    (Column::SubMchid, &["特约商户号", "子商户号"], false),
    (Column::Currency, &["货币种类", "币种"], false),
];

const PAYJS: [Names; 5] = [
    (Column::OutTradeNo, &["商户订单号", "用户端订单号", "用户订单号", "out_trade_no"], true),
    (Column::TradeNo, &["PAYJS订单号", "PAYJS 订单号", "平台订单号", "payjs_order_id"], true),
    (Column::State, &["状态", "支付状态", "订单状态"], true),
    (Column::Total, &["订单金额", "支付金额", "金额"], true),
    (Column::Time, &["支付时间"], false),
];

/// How both write times.
pub(super) const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// Where the columns of an export stand.
#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<(Column, String, usize)>);

/// A wanted column: its names, and whether an export must have it.
type Wanted = (Column, Vec<String>, bool);

fn wanted(source: &Source) -> Vec<Wanted> {
    let known: &[Names] = match (source.kind, &source.mapping) {
        (_, Some(mapping)) => {
            let named = mapping.columns.iter().map(|(column, name)| (*column, vec![name.clone()], true));
            return named.collect();
        }
        (Kind::Wechatpay, None) => &WECHATPAY,
        (Kind::Payjs, None) => &PAYJS,
        (Kind::Mapped, None) => &[],
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    known.iter().map(|(column, names, required)| (*column, owned(names), *required)).collect()
}

impl Columns {
    /// Finds them by the cells of the head.
    ///
    /// # Errors
    /// The names of the columns that are missing.
    pub(super) fn of(source: &Source, head: &csv::StringRecord) -> Result<Self, Vec<String>> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for (column, names, required) in wanted(source) {
            let at = names.iter().find_map(|name| {
                Some((name.clone(), head.iter().position(|cell| cell_text(cell) == *name)?))
            });
            match (at, names.into_iter().next()) {
                (Some((name, at)), _) => found.push((column, name, at)),
                (None, Some(name)) if required || source.needs(column) => missing.push(name),
                _ => {}
            }
        }
        if missing.is_empty() { Ok(Self(found)) } else { Err(missing) }
    }

    /// The name of a column; empty when the export lacks it.
    pub(super) fn name(&self, column: Column) -> &str {
        self.0.iter().find(|(known, _, _)| *known == column).map_or("", |(_, name, _)| name)
    }

    /// A cell with the name of its column; empty when the export or the line lacks it.
    pub(super) fn cell<'r>(&'r self, record: &'r csv::StringRecord, column: Column) -> (&'r str, &'r str) {
        let found = self.0.iter().find(|(known, _, _)| *known == column);
        found.map_or(("", ""), |(_, name, at)| (name.as_str(), record.get(*at).map_or("", cell_text)))
    }
}

/// A cell without what the providers put around it.
pub(super) fn cell_text(cell: &str) -> &str {
    cell.trim_start_matches('\u{feff}').trim().trim_start_matches('`').trim()
}

/// Yuan as text in fen: money never goes through a floating-point number.
pub(super) fn fen(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(['¥', '￥']).trim();
    let (yuan, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if yuan.is_empty() || rest.len() > 2 || !digits(yuan) || !digits(rest) {
        return None;
    }
    let cents: i64 = format!("{rest:0<2}").parse().ok()?;
    yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)
}

/// Fen as a whole number.
pub(super) fn whole_fen(text: &str) -> Option<i64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

/// A time in that format, such as `2026-05-10 08:00:00`, in Beijing `[assumed]`.
pub(super) fn beijing_time(format: &str, text: &str) -> Option<prost_types::Timestamp> {
    let time = DateTime::strptime(format, text).ok()?;
    let time = time.to_zoned(TimeZone::fixed(offset(8))).ok()?.timestamp();
    Some(prost_types::Timestamp { seconds: time.as_second(), nanos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_are_read_as_text() {
        let read = |text: &str| fen(text);
        assert_eq!(
            [read("12.34"), read("0.5"), read("7"), read("¥1.00")],
            [Some(1234), Some(50), Some(700), Some(100)]
        );
        for text in ["", ".5", "1.234", "-1", "1e3", "1,000", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn fen_are_whole() {
        assert_eq!(["1234", "0", "", "12.34", "+1"].map(whole_fen), [Some(1234), Some(0), None, None, None]);
    }

    #[test]
    fn cells_lose_the_marks_around_them() {
        assert_eq!(
            [cell_text("`4200"), cell_text("\u{feff}交易时间"), cell_text(" `a b ")],
            ["4200", "交易时间", "a b"]
        );
    }

    #[test]
    fn missing_columns_are_all_named() {
        let head = csv::StringRecord::from(vec!["商户订单号"]);
        let (mchid, sub_mchid) = ("190001".to_owned(), String::new());
        let source = Source { kind: Kind::Wechatpay, mchid, sub_mchid, mapping: None };
        let missing = Columns::of(&source, &head).unwrap_err();
        assert_eq!(missing, ["微信订单号", "交易状态", "订单金额", "商户号"]);
    }

    #[test]
    fn times_are_beijings() {
        assert_eq!(beijing_time(TIME_FORMAT, "1970-01-01 08:00:01").unwrap().seconds, 1);
        assert_eq!(beijing_time("%d.%m.%Y %H:%M", "01.01.1970 08:01").unwrap().seconds, 60);
        assert_eq!(beijing_time(TIME_FORMAT, "10 May"), None);
    }
}
