//! An export read line by line: its faults first, each with line, column and reason, then its lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};

use paymux_domain::name::OutTradeNo;
use paymux_domain::shard::stable_hash;

use super::cells::Cells;
use super::columns::{Column, Columns, cell_text};
use super::judge::{Line, What};
use super::{Kind, Source};

/// Faults that are kept; the others are counted.
pub(super) const FAULTS_MAX: usize = 100;

/// What WeChat Pay's summary begins with.
const SUMMARY: &str = "总交易单数";

/// Bytes that are read for one line, far more than any export's has: a file that is none, or an open quotation mark,
/// must not fill the memory.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A file of which no more can be read for one line than a line may have.
#[derive(Debug)]
struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let told = format!("is longer than {LINE_BYTES_MAX} bytes: this is no export");
            return Err(io::Error::other(told));
        }
        let room = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..room])?;
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }
}

/// A fault of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: u64,
    /// Empty where it is the whole line.
    pub(super) column: String,
    pub(super) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, reason } = self;
        if column.is_empty() {
            write!(f, "line {line}: {reason}")
        } else {
            write!(f, "line {line}, {column}: {reason}")
        }
    }
}

/// What the first reading of the whole file found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) faults: Vec<Fault>,
    /// Faults beyond those that are kept.
    pub(super) more_faults: u64,
    /// Orders with a line about a refund, by the hash of their number.
    refunded: BTreeSet<u64>,
    paid: BTreeSet<u64>,
    /// Orders with several payments, by the hash of their number.
    paid_twice: BTreeSet<u64>,
    /// The order and the line of each payment, by the hashes of both numbers.
    trade_nos: BTreeMap<u64, (u64, u64)>,
}

impl Survey {
    pub(super) fn is_refunded(&self, number: &OutTradeNo) -> bool {
        self.refunded.contains(&hash(number))
    }

    pub(super) fn is_paid_twice(&self, number: &OutTradeNo) -> bool {
        self.paid_twice.contains(&hash(number))
    }

    fn add(&mut self, line: Result<Line, Fault>, trade_no_column: &str) {
        match line {
            Ok(line) => {
                let number = hash(&line.out_trade_no);
                if let Err(fault) = self.pays_one_order(&line, number, trade_no_column) {
                    self.add_fault(fault);
                }
                match line.what {
                    What::Payment { .. } if !self.paid.insert(number) => drop(self.paid_twice.insert(number)),
                    What::Refund { .. } | What::Refunded => drop(self.refunded.insert(number)),
                    _ => {}
                }
            }
            Err(fault) => self.add_fault(fault),
        }
    }

    fn add_fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }

    /// One payment is one order's: a number that two orders share is a damaged file.
    fn pays_one_order(&mut self, line: &Line, number: u64, column: &str) -> Result<(), Fault> {
        let What::Payment { trade_no, .. } = &line.what else { return Ok(()) };
        let place = stable_hash(trade_no.as_str().as_bytes());
        let (other, at) = *self.trade_nos.entry(place).or_insert((number, line.number));
        if other == number {
            return Ok(());
        }
        let reason = format!("{trade_no} is the payment of another order, too: see line {at}");
        Err(Fault { line: line.number, column: column.to_owned(), reason })
    }
}

fn hash(number: &OutTradeNo) -> u64 {
    stable_hash(number.as_str().as_bytes())
}

/// The lines of an export.
pub(super) struct Export<R> {
    source: Source,
    reader: csv::Reader<Bounded<R>>,
    record: csv::StringRecord,
    columns: Option<Columns>,
    /// Faults of a line that was read; they come one by one.
    faults: Vec<Fault>,
    lines: u64,
    ended: bool,
}

impl<R: Read> Export<R> {
    pub(super) fn new(source: &Source, read: R) -> Self {
        let bounded = Bounded { inner: read, left: LINE_BYTES_MAX };
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bounded);
        Self {
            source: source.clone(),
            reader,
            record: csv::StringRecord::new(),
            columns: None,
            faults: Vec::new(),
            lines: 0,
            ended: false,
        }
    }

    /// Reads everything and keeps what later lines need to know of each other.
    pub(super) fn survey(&mut self) -> Survey {
        let mut survey = Survey::default();
        while let Some(line) = self.next() {
            let column = self.columns.as_ref().map_or("", |columns| columns.name(Column::TradeNo));
            survey.add(line, column);
        }
        survey
    }

    /// The next record; `None` at the end, and where one cannot be read, which is among the faults then.
    fn advance(&mut self) -> Option<u64> {
        if self.ended {
            return None;
        }
        let at = self.reader.position().line();
        self.reader.get_mut().left = LINE_BYTES_MAX;
        match self.reader.read_record(&mut self.record) {
            Ok(true) => Some(self.record.position().map_or(at, csv::Position::line)),
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(error) => {
                let utf8 = matches!(error.kind(), csv::ErrorKind::Utf8 { .. });
                let reason = if utf8 { "is not UTF-8".to_owned() } else { error.to_string() };
                self.fault(at, "", reason);
                // Behind a line of other characters the next one can be read.
                self.ended = !utf8;
                None
            }
        }
    }

    fn fault(&mut self, line: u64, column: &str, reason: impl Into<String>) {
        self.faults.push(Fault { line, column: column.to_owned(), reason: reason.into() });
    }

    fn read_head(&mut self) {
        let Some(line) = self.advance() else {
            if self.faults.is_empty() {
                self.fault(1, "", "the file is empty");
            }
            self.ended = true;
            return;
        };
        match Columns::of(&self.source, &self.record) {
            Ok(columns) => self.columns = Some(columns),
            Err(missing) => {
                for name in missing {
                    self.fault(line, &name, "there is no such column");
                }
                self.ended = true;
            }
        }
    }

    /// WeChat Pay's last two lines say how many there are: a file that was cut off is told apart.
    fn read_summary(&mut self) {
        if let Some(line) = self.advance() {
            let stated = self.record.get(0).map_or("", cell_text).to_owned();
            if stated.parse() != Ok(self.lines) {
                let reason = format!("names {stated:?} lines, the file has {}", self.lines);
                self.fault(line, SUMMARY, reason);
            }
        } else {
            self.cut_off();
        }
        self.ended = true;
    }

    /// The file ended where more had to come.
    fn cut_off(&mut self) {
        if self.source.kind == Kind::Wechatpay && self.faults.is_empty() {
            let line = self.reader.position().line();
            self.fault(line, SUMMARY, "the file ends without its summary: it was cut off");
        }
    }

    fn read_line(&mut self, columns: &Columns, number: u64) -> Option<Line> {
        let (source, record) = (&self.source, &self.record);
        let mut cells = Cells { source, columns, record, line: number, faults: Vec::new() };
        let line = match (source.kind, &source.mapping) {
            (_, Some(mapping)) => cells.mapped(mapping),
            (Kind::Wechatpay, None) => cells.wechatpay(),
            (Kind::Payjs | Kind::Mapped, None) => cells.payjs(),
        };
        self.faults.append(&mut cells.faults);
        line.filter(|_| self.faults.is_empty())
    }
}

impl<R: Read> Iterator for Export<R> {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if !self.faults.is_empty() {
                return Some(Err(self.faults.remove(0)));
            }
            if self.ended {
                return None;
            }
            let Some(columns) = self.columns.clone() else {
                self.read_head();
                continue;
            };
            let Some(number) = self.advance() else {
                self.cut_off();
                continue;
            };
            let first = self.record.get(0).map_or("", cell_text);
            if self.source.kind == Kind::Wechatpay && first == SUMMARY {
                self.read_summary();
                continue;
            }
            self.lines += 1;
            if let Some(line) = self.read_line(&columns, number) {
                return Some(Ok(line));
            }
        }
    }
}

#[cfg(test)]
mod tests;
