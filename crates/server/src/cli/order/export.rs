//! `paymux order export`: movements of money with all that books need, as CSV or as lines of JSON.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use paymux_proto::client::Client;
use paymux_proto::v1;
use paymux_proto::v1::movement::Moved;
use serde_json::{Map, Value};

use super::to_json::{time, word};
use crate::cli::Output;
use crate::cli::movements::{self, Bound, MerchantArgs};

/// Names and order of the columns; new ones are added at the end.
const COLUMNS: [&str; 23] = [
    "merchant_id",
    "merchant_order_no",
    "kind",
    "business_date",
    "business_date_basis",
    "provider_time",
    "record_time",
    "currency",
    "amount_minor",
    "payer_total_minor",
    "fee_minor",
    "bank_type",
    "provider",
    "account",
    "out_trade_no",
    "provider_trade_no",
    "refund_no",
    "out_refund_no",
    "provider_refund_no",
    "evidence",
    "late",
    "duplicate",
    "channel_trade_no",
];

/// What begins a text that a spreadsheet would take for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Arguments of `order export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    merchants: MerchantArgs,
    /// The first day, or the first time.
    #[arg(long, value_parser = movements::bound)]
    from: Bound,
    /// The last day, which is included, or the time before which it ends.
    #[arg(long, value_parser = movements::bound)]
    to: Bound,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    format: Form,
    /// Where it is written: the file is there when it is whole, and replaces one that was there. Without it, standard
    /// output.
    #[arg(long)]
    file: Option<PathBuf>,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Lines of cells with a line of names, UTF-8.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

pub(super) async fn run(client: &Client, args: ExportArgs, output: &Output) -> anyhow::Result<()> {
    let ExportArgs { merchants, from, to, format, file } = args;
    let range = movements::range(from, to)?;
    let Some(path) = file else {
        let mut export = Export::new(format, io::stdout())?;
        movements::each(client, &merchants, &range, |movement| export.add(movement)).await?;
        export.end()?;
        return Ok(());
    };
    let beside = beside(&path);
    let told = |error| anyhow::Error::new(error).context(format!("{} cannot be written", beside.display()));
    let mut export = Export::new(format, BufWriter::new(File::create(&beside).map_err(told)?))?;
    let written = movements::each(client, &merchants, &range, |movement| export.add(movement)).await;
    if let Err(error) = written {
        // Half an export is none; that it stays there harms nobody.
        drop(std::fs::remove_file(&beside));
        return Err(error);
    }
    let count = export.count;
    let file = export.end()?.into_inner().map_err(|error| told(error.into_error()))?;
    file.sync_all().map_err(told)?;
    std::fs::rename(&beside, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    output.print(
        format!("{count} movements in {}", path.display()),
        &serde_json::json!({ "movements": count, "file": path.display().to_string() }),
    )?;
    Ok(())
}

/// The file's name while it is not whole.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// An export under way.
enum Sink<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

struct Export<W: Write> {
    sink: Sink<W>,
    count: u64,
}

impl<W: Write> Export<W> {
    fn new(form: Form, to: W) -> anyhow::Result<Self> {
        let sink = match form {
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(to);
                writer.write_record(COLUMNS)?;
                Sink::Csv(Box::new(writer))
            }
            Form::Jsonl => Sink::Jsonl(to),
        };
        Ok(Self { sink, count: 0 })
    }

    fn add(&mut self, movement: &v1::Movement) -> anyhow::Result<()> {
        let values = values(movement);
        self.count += 1;
        match &mut self.sink {
            Sink::Csv(writer) => Ok(writer.write_record(values.iter().map(cell))?),
            Sink::Jsonl(to) => {
                let names = COLUMNS.map(str::to_owned);
                let object = Value::Object(names.into_iter().zip(values).collect::<Map<_, _>>());
                Ok(writeln!(to, "{object}")?)
            }
        }
    }

    fn end(self) -> anyhow::Result<W> {
        match self.sink {
            Sink::Csv(writer) => writer.into_inner().map_err(|error| error.into_error().into()),
            Sink::Jsonl(mut to) => {
                to.flush()?;
                Ok(to)
            }
        }
    }
}

/// One cell. A text that a spreadsheet would take for a formula has an apostrophe before it, and numbers are numbers.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The values of a movement, in the order of [`COLUMNS`]; what is not stated or does not apply is null.
fn values(movement: &v1::Movement) -> [Value; COLUMNS.len()] {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    let minor = |amount: Option<&v1::Amount>| amount.map_or(Value::Null, |amount| Value::from(amount.minor));
    let (payment, refund) = match &movement.moved {
        Some(Moved::Payment(payment)) => (Some(payment), None),
        Some(Moved::Refund(refund)) => (None, Some(refund)),
        None => (None, None),
    };
    let of_payment = |value: fn(&v1::Payment) -> &str| text(payment.map(value).unwrap_or_default());
    let of_refund = |value: fn(&v1::Refund) -> &str| text(refund.map(value).unwrap_or_default());
    let amount = amount(movement);
    let times = match (payment, refund) {
        (Some(payment), _) => [&payment.success_time, &payment.record_time],
        (_, Some(refund)) => [&refund.success_time, &refund.end_time],
        _ => [&None, &None],
    };
    let [provider_time, record_time] = times.map(|instant| Value::from(time(instant.as_ref())));
    let trade_no = payment.map(|payment| payment.provider_trade_no.as_str());
    let trade_no = trade_no.or_else(|| refund.map(|refund| refund.provider_trade_no.as_str()));
    [
        text(&movement.merchant_id),
        text(&movement.merchant_order_no),
        text(kind(movement)),
        text(&movement.business_date),
        text(word(movement.business_date_basis().as_str_name(), "BUSINESS_DATE_BASIS_")),
        provider_time,
        record_time,
        text(amount.map(|amount| amount.currency.as_str()).unwrap_or_default()),
        minor(amount),
        minor(payment.and_then(|payment| payment.payer_total.as_ref())),
        minor(payment.and_then(|payment| payment.fee.as_ref())),
        of_payment(|payment| &payment.bank_type),
        text(&movement.provider),
        text(&movement.account),
        text(&movement.out_trade_no),
        text(trade_no.unwrap_or_default()),
        of_refund(|refund| &refund.refund_no),
        of_refund(|refund| &refund.out_refund_no),
        of_refund(|refund| &refund.provider_refund_no),
        text(word(movement.evidence().as_str_name(), "PAYMENT_EVIDENCE_")),
        payment.map_or(Value::Null, |payment| Value::from(payment.late)),
        payment.map_or(Value::Null, |payment| Value::from(payment.duplicate)),
        of_payment(|payment| &payment.channel_trade_no),
    ]
}

/// Its kind, in the word of the API.
pub(in crate::cli) fn kind(movement: &v1::Movement) -> &'static str {
    word(movement.kind().as_str_name(), "MOVEMENT_KIND_")
}

/// How much moved: what came in or what went back, never below zero but where a provider stated so.
pub(in crate::cli) fn amount(movement: &v1::Movement) -> Option<&v1::Amount> {
    match &movement.moved {
        Some(Moved::Payment(payment)) => payment.total.as_ref(),
        Some(Moved::Refund(refund)) => refund.amount.as_ref(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cny(minor: i64) -> Option<v1::Amount> {
        Some(v1::Amount { currency: "CNY".to_owned(), minor })
    }

    fn payment(number: &str, bank_type: &str) -> v1::Movement {
        let second = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let payment = v1::Payment {
            provider_trade_no: "4200001".to_owned(),
            total: cny(1234),
            payer_total: cny(1200),
            success_time: second(1_767_225_600),
            record_time: second(1_767_225_601),
            bank_type: bank_type.to_owned(),
            channel_trade_no: "1000001".to_owned(),
            ..v1::Payment::default()
        };
        v1::Movement {
            kind: v1::MovementKind::Payment.into(),
            business_date: "2026-01-01".to_owned(),
            business_date_basis: v1::BusinessDateBasis::ProviderTime.into(),
            merchant_id: "m1".to_owned(),
            merchant_order_no: number.to_owned(),
            out_trade_no: number.to_owned(),
            provider: "wechatpay".to_owned(),
            account: "main".to_owned(),
            evidence: v1::PaymentEvidence::Stated.into(),
            moved: Some(Moved::Payment(payment)),
        }
    }

    fn refund() -> v1::Movement {
        let refund = v1::Refund {
            provider_trade_no: "4200001".to_owned(),
            refund_no: "r1".to_owned(),
            out_refund_no: "00ff".to_owned(),
            amount: cny(34),
            end_time: Some(prost_types::Timestamp { seconds: 1_767_225_602, nanos: 0 }),
            ..v1::Refund::default()
        };
        v1::Movement {
            kind: v1::MovementKind::Refund.into(),
            business_date_basis: v1::BusinessDateBasis::RecordTime.into(),
            moved: Some(Moved::Refund(refund)),
            ..payment("A-1", "")
        }
    }

    fn exported(form: Form, movements: &[v1::Movement]) -> String {
        let mut export = Export::new(form, Vec::new()).unwrap();
        movements.iter().for_each(|movement| export.add(movement).unwrap());
        assert_eq!(export.count, movements.len() as u64);
        String::from_utf8(export.end().unwrap()).unwrap()
    }

    #[test]
    fn csv_has_a_line_of_names_and_leaves_out_what_is_not_stated() {
        let text = exported(Form::Csv, &[payment("A-1", "CMB_DEBIT"), refund()]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                COLUMNS.join(",").as_str(),
                "m1,A-1,PAYMENT,2026-01-01,PROVIDER_TIME,2026-01-01T00:00:00.000Z,2026-01-01T00:00:01.000Z,CNY,1234,\
                 1200,,CMB_DEBIT,wechatpay,main,A-1,4200001,,,,STATED,false,false,1000001",
                "m1,A-1,REFUND,2026-01-01,RECORD_TIME,,2026-01-01T00:00:02.000Z,CNY,34,,,,wechatpay,main,A-1,4200001,\
                 r1,00ff,,STATED,,,",
            ]
        );
    }

    #[test]
    fn no_cell_is_a_formula_and_every_text_is_one_cell() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"] {
            let csv = exported(Form::Csv, &[payment("A-1", text)]);
            let mut reader = csv::Reader::from_reader(csv.as_bytes());
            let row = reader.records().next().unwrap().unwrap();
            assert_eq!((row.len(), &row[11]), (COLUMNS.len(), format!("'{text}").as_str()));
        }
        let csv = exported(Form::Csv, &[payment("A-1", "a,\"b\"\nc")]);
        let row = csv::Reader::from_reader(csv.as_bytes()).records().next().unwrap().unwrap();
        assert_eq!(&row[11], "a,\"b\"\nc");
        let mut negative = payment("-7", "");
        let Some(Moved::Payment(payment)) = &mut negative.moved else { panic!("a payment") };
        payment.total = cny(-5);
        let csv = exported(Form::Csv, &[negative]);
        let row = csv::Reader::from_reader(csv.as_bytes()).records().next().unwrap().unwrap();
        assert_eq!((&row[1], &row[8]), ("'-7", "-5"), "a number stays one");
    }

    #[test]
    fn lines_of_json_have_every_name_and_null_for_what_is_not_stated() {
        let text = exported(Form::Jsonl, &[refund(), payment("A-1", "=x")]);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            let mut names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
            let mut columns = COLUMNS;
            names.sort_unstable();
            columns.sort_unstable();
            assert_eq!(names, columns);
        }
        assert_eq!((&lines[0]["amount_minor"], &lines[0]["provider_time"]), (&Value::from(34), &Value::Null));
        assert_eq!(lines[1]["bank_type"], "=x", "nothing reads JSON as a formula");
    }
}
