//! Books: what is exported and summed is what the providers took and gave back, each on its day in Shanghai.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use paymux_domain::amount::{Amount, Currency};
use paymux_domain::business_date::BusinessDate;
use paymux_domain::command::{Created, Fingerprint, Payer};
use paymux_domain::fact::{Cause, Closure, Fact, FactBody, FactKey, Fulfilment};
use paymux_domain::fold::Order;
use paymux_domain::followup::Followup;
use paymux_domain::name::{OrderKey, ShardGroup};
use paymux_domain::payment::{Evidence, Payment};
use paymux_domain::refund::{RefundDone, RefundRequest, out_refund_no};
use paymux_domain::time::Timestamp;
use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1::create_order_request::Expiry;
use paymux_proto::v1::launch::Params;
use paymux_proto::v1::list_movements_request::Range;
use paymux_proto::v1::{self, ErrorReason, ListMovementsRequest};
use paymux_server::config::Config;
use paymux_server::roles::audit_parts;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{Ports, Server, WAIT_S, World, order, paymux, seconds, until};

/// Midnight of 1 January 2026 in Shanghai.
const MIDNIGHT: i64 = 1_767_196_800_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a command prints, line by line.
#[track_caller]
fn lines(args: &[&str]) -> Vec<Value> {
    let done = paymux(args);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn minor(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// An order that was paid, and of which so much was given back.
struct Paid {
    merchant: usize,
    number: &'static str,
    minor: i64,
    refunds: &'static [i64],
}

const PAID: [Paid; 4] = [
    Paid { merchant: 0, number: "BOOK-001", minor: 12_000, refunds: &[300, 240] },
    Paid { merchant: 1, number: "BOOK-002", minor: 11_000, refunds: &[11_000] },
    Paid { merchant: 1, number: "BOOK-003", minor: 10_005, refunds: &[] },
    // At PayJS, which tells no time of a refund.
    Paid { merchant: 4, number: "BOOK-004", minor: 13_000, refunds: &[13_000] },
];

impl Paid {
    fn merchant_id(&self) -> String {
        format!("m{:02}", self.merchant + 1)
    }

    /// The whole way of the order; gives the day on which it was created.
    async fn goes_through(&self, world: &World, client: &Client) -> BusinessDate {
        let (merchant_id, number) = (self.merchant_id(), self.number);
        let create = v1::CreateOrderRequest {
            wait: Some(seconds(WAIT_S)),
            expiry: Some(Expiry::ExpireAfter(seconds(86_400))),
            ..order(&merchant_id, number, self.minor)
        };
        client.create(create).await.expect("an order that is accepted");
        let pending = until(client, &merchant_id, number, |order| order.launch.is_some()).await;
        let created = pending.create_time.expect("a time").seconds;
        if let Some(Params::RedirectUrl(url)) = pending.launch.and_then(|launch| launch.params) {
            world.control("open", &json!({ "url": url })).await;
        }
        let merchant = &world.merchants[self.merchant];
        let out_trade_no = format!("{}{number}", merchant.prefix);
        world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })).await;
        until(client, &merchant_id, number, |order| order.fulfilment() == v1::Fulfilment::Fulfil).await;
        for (n, minor) in self.refunds.iter().enumerate() {
            let request = v1::RefundOrderRequest {
                merchant_id: merchant_id.clone(),
                merchant_order_no: number.to_owned(),
                refund_no: format!("R{n}"),
                request_id: format!("refund-{n}"),
                amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: *minor }),
                wait: Some(seconds(WAIT_S)),
                ..v1::RefundOrderRequest::default()
            };
            let request = Client::request(request, Some(Duration::from_secs(WAIT_S.unsigned_abs())));
            client.orders().refund_order(request).await.expect("a refund that is accepted");
        }
        let sum: i64 = self.refunds.iter().sum();
        let is_back =
            |order: &v1::Order| order.refunded_amount.as_ref().is_some_and(|back| back.minor == sum);
        until(client, &merchant_id, number, is_back).await;
        BusinessDate::of(Timestamp::from_millis(created * 1000))
    }
}

/// The providers' own sums: account number to money in and money back.
fn sums_of(truth: &BTreeMap<String, Value>) -> BTreeMap<String, (i64, i64)> {
    let mut sums = BTreeMap::<_, (i64, i64)>::new();
    for order in truth.values() {
        let sum = sums.entry(text(&order["mchid"]).to_owned()).or_default();
        sum.0 += minor(&order["payment"]["total"]);
        sum.1 += minor(&order["refunds"]["refunded"]);
    }
    sums
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_and_totals_are_what_the_providers_took_and_gave_back() {
    let world = World::of(5, &["--clock-factor", "100"]);
    let client = world.client().await;
    let mut first = None;
    for paid in &PAID {
        let day = paid.goes_through(&world, &client).await;
        first = first.or(Some(day));
    }
    let first = first.expect("an order");
    // A day passes in a quarter of an hour.
    let last = BusinessDate::from_day_number(first.day_number() + 60);
    let (first, last) = (first.to_string(), last.to_string());
    let truth = world.truth().await;
    assert_eq!(truth.len(), PAID.len());

    let base = ["--server", &world.grpc, "--output", "json", "--log", "warn"];
    let totals = lines(&[&["totals", "--date", &first, "--to", &last], &base[..]].concat());
    let mut sums = BTreeMap::<String, (i64, i64)>::new();
    let mut by_record_time = 0;
    for row in &totals {
        let sum = sums.entry(text(&row["account"]).to_owned()).or_default();
        match text(&row["kind"]) {
            "PAYMENT" => sum.0 += minor(&row["sum_minor"]),
            "REFUND" => sum.1 += minor(&row["sum_minor"]),
            other => panic!("nothing here is {other}"),
        }
        assert_eq!(row["currency"], "CNY");
        by_record_time += minor(&row["by_record_time"]);
    }
    let values = |sums: &BTreeMap<String, (i64, i64)>| sums.values().copied().collect::<BTreeSet<_>>();
    assert_eq!(values(&sums), values(&sums_of(&truth)), "{totals:#?}");
    assert_eq!(totals.iter().map(|row| minor(&row["count"])).sum::<i64>(), 8);
    assert_eq!(by_record_time, 1, "the refund at PayJS alone has no time of the provider's");

    let export = ["order", "export", "--from", &first, "--to", &last];
    let rows = lines(&[&export[..], &base[..], &["--format", "jsonl"]].concat());
    assert_eq!(rows.len(), 8);
    for row in &rows {
        let order = &truth[text(&row["out_trade_no"])];
        let payment = &order["payment"];
        if row["kind"] == "PAYMENT" {
            let provider_time: jiff::Timestamp = text(&row["provider_time"]).parse().expect("a time");
            assert_eq!(row["amount_minor"], payment["total"]);
            assert_eq!(provider_time.as_second(), minor(&payment["paid_ms"]) / 1000);
            assert_eq!(row["provider_trade_no"], *payment_no(order), "{row}");
            let channel = if row["provider"] == "payjs" { &payment["transaction_id"] } else { &Value::Null };
            assert_eq!(row["channel_trade_no"], *channel, "{row}");
        } else {
            let list = order["refunds"]["list"].as_array().expect("refunds");
            let is_it = |refund: &&Value| {
                row["provider"] == "payjs" || refund["out_refund_no"] == row["out_refund_no"]
            };
            assert_eq!(list.iter().find(is_it).expect("a refund")["amount"], row["amount_minor"]);
        }
    }
    let wechat = rows.iter().find(|row| row["out_trade_no"] == trade_no(&world, &PAID[0])).expect("a row");
    assert_eq!(wechat["payer_total_minor"], truth[&trade_no(&world, &PAID[0])]["payment"]["payer_total"]);
    assert!(wechat["bank_type"].is_string() && wechat["fee_minor"].is_null(), "{wechat}");
    written_to_a_file(&world, &export, &rows);
}

fn trade_no(world: &World, paid: &Paid) -> String {
    format!("{}{}", world.merchants[paid.merchant].prefix, paid.number)
}

/// The number by which the payment is known: PayJS's is that of its order.
fn payment_no(order: &Value) -> &Value {
    match &order["payjs"] {
        Value::Null => &order["payment"]["transaction_id"],
        payjs => &payjs["payjs_order_id"],
    }
}

/// A file of CSV says the same as lines of JSON, and is there only as a whole.
fn written_to_a_file(world: &World, export: &[&str], rows: &[Value]) {
    let path = world.folder.path().join("books.csv");
    let file = path.to_str().expect("UTF-8");
    let told = paymux(&[export, &["--server", &world.grpc, "--file", file]].concat());
    assert!(String::from_utf8_lossy(&told.stdout).starts_with("8 movements in "), "{told:?}");
    let mut csv = csv::Reader::from_path(&path).expect("a file");
    let names: Vec<String> = csv.headers().expect("names").iter().map(str::to_owned).collect();
    let mut records = 0;
    for (record, row) in csv.records().map(|record| record.expect("a record")).zip(rows) {
        for (name, cell) in names.iter().zip(record.iter()) {
            let value = match &row[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(cell, value, "{name}");
        }
        records += 1;
    }
    assert_eq!(records, rows.len());
    let nobody = paymux(&[export, &["--server", "http://127.0.0.1:1", "--file", file]].concat());
    assert_eq!(nobody.status.code(), Some(1));
    assert!(std::fs::read_to_string(&path).is_ok_and(|text| text.lines().count() == 9), "the old one stays");
}

/// A server whose store was written by hand, with times that no simulator would choose.
struct Books {
    server: Server,
    _world: World,
    _data: TempDir,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(MIDNIGHT + millis)
}

fn key(number: &str) -> OrderKey {
    OrderKey { merchant_id: "m01".parse().expect("valid"), order_no: number.parse().expect("valid") }
}

fn fact(key: FactKey, body: FactBody, time: Timestamp) -> Fact {
    Fact { key, body, time, cause: Cause::Answer }
}

fn created(number: &str, group: &ShardGroup, now: Timestamp) -> Fact {
    let created = Created {
        key: key(number),
        request_id: "finance".parse().expect("valid"),
        provider: "wechatpay".parse().expect("valid"),
        account: "books".parse().expect("valid"),
        shard_group: group.clone(),
        method: "jsapi".to_owned(),
        out_trade_no: number.parse().expect("valid"),
        amount: Amount::new(100, Currency::Cny).expect("valid"),
        fingerprint: Fingerprint::of([("amount", "100")]),
        description: "Tea".to_owned(),
        attach: None,
        payer: Payer::default(),
        expire_time: now,
        created_time: now,
        notify_url: "https://notify.example.com".to_owned(),
        return_url: None,
        metadata: BTreeMap::new(),
        options_json: String::new(),
    };
    fact(FactKey::Created, FactBody::Created(Arc::new(created)), now)
}

fn paid(number: &str, minor: i64, provider_ms: Option<i64>, record_ms: i64) -> Vec<Fact> {
    let payment = Payment {
        trade_no: format!("42{number}").parse().expect("valid"),
        total_minor: minor,
        payer_total_minor: None,
        currency: Some(Currency::Cny),
        success_time: provider_ms.map(at),
        fee_minor: Some(1),
        bank_type: Some("=1+1".to_owned()),
        channel_trade_no: None,
        evidence: Evidence::Stated,
    };
    let said = fact(
        FactKey::Fulfilment(Fulfilment::Fulfil.into()),
        FactBody::Fulfilment(Fulfilment::Fulfil),
        at(record_ms),
    );
    vec![fact(FactKey::Paid(payment.trade_no.clone()), FactBody::Paid(payment), at(record_ms)), said]
}

/// A refund of a release that kept no time of the provider's.
fn refunded(number: &str, minor: i64, record_ms: i64) -> Vec<Fact> {
    let no: paymux_domain::name::RefundNo = "R1".parse().expect("valid");
    let request = RefundRequest {
        trade_no: format!("42{number}").parse().expect("valid"),
        out_refund_no: out_refund_no(&key(number), &no).expect("a number"),
        amount: Amount::new(minor, Currency::Cny).expect("valid"),
        reason: String::new(),
        automatic: false,
        options_json: String::new(),
        fingerprint: Fingerprint::default(),
    };
    let wanted = fact(
        FactKey::RefundRequested(no.clone()),
        FactBody::RefundRequested(Arc::new(request)),
        at(record_ms),
    );
    vec![wanted, fact(FactKey::RefundDone(no), FactBody::RefundDone(RefundDone::default()), at(record_ms))]
}

impl Books {
    async fn open(orders: Vec<(String, Vec<Fact>)>) -> Self {
        let world = World::start(&[]);
        let data = TempDir::new().expect("a folder");
        let folder = ("backend.folder".to_owned(), data.path().display().to_string());
        let nothing = std::iter::empty::<(OsString, OsString)>();
        let config_file: PathBuf = world.config_file();
        let config = Config::load(Some(&config_file), nothing, &[folder]).expect("a configuration");
        let group = config.registry.merchants[&key("x").merchant_id].shard_group.group().clone();
        // The folder is made by whoever serves from it first.
        drop(Server::start(&config_file, data.path(), Ports::free()));
        let parts = audit_parts(config).await.expect("the store opens");
        let now = parts.clock.now();
        for (number, facts) in orders {
            let facts: Vec<_> = [created(&number, &group, now)].into_iter().chain(facts).collect();
            parts.store.add_facts(&key(&number), &facts).await.expect("written");
            let settled = Order::from_facts(facts).digest();
            let followup = Followup { settled, ..Followup::default() };
            parts.store.put_followup(&key(&number), &followup).await.expect("written");
        }
        drop(parts);
        let server = Server::start(&config_file, data.path(), Ports::free());
        Self { server, _world: world, _data: data }
    }

    /// Number and kind of what is exported.
    fn exported(&self, from: &str, to: &str) -> Vec<(String, String)> {
        let args =
            ["order", "export", "--server", &self.server.grpc, "--merchant", "m01", "--format", "jsonl"];
        let rows = lines(&[&args[..], &["--log", "warn", "--from", from, "--to", to]].concat());
        let name = |row: &Value| (text(&row["merchant_order_no"]).to_owned(), text(&row["kind"]).to_owned());
        rows.iter().map(name).collect()
    }

    /// Day, kind, count, sum, and how many of them count by the time of recording.
    fn totals(&self, date: &str, to: &str) -> Vec<(String, String, i64, i64, i64)> {
        let args = ["totals", "--server", &self.server.grpc, "--output", "json", "--log", "warn"];
        let rows = lines(&[&args[..], &["--merchant", "m01", "--date", date, "--to", to]].concat());
        let row = |row: &Value| {
            let of = |name: &str| minor(&row[name]);
            let (day, kind) = (text(&row["business_date"]).to_owned(), text(&row["kind"]).to_owned());
            (day, kind, of("count"), of("sum_minor"), of("by_record_time"))
        };
        rows.iter().map(row).collect()
    }
}

fn named(number: &str, kind: &str) -> (String, String) {
    (number.to_owned(), kind.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_movement_counts_for_its_day_in_shanghai_and_old_records_for_the_day_they_were_recorded() {
    let closed = |millis| fact(FactKey::Closed, FactBody::Closed(Closure::ProviderConfirmed), at(millis));
    let orders = vec![
        // The last millisecond of a year, heard of in the next; and the first.
        ("LAST".to_owned(), paid("LAST", 100, Some(-1), 1000)),
        ("FIRST".to_owned(), paid("FIRST", 200, Some(0), 2000)),
        ("OLD".to_owned(), [paid("OLD", 400, None, DAY_MS), refunded("OLD", 30, 3 * DAY_MS - 1)].concat()),
        ("LATE".to_owned(), [paid("LATE", 800, Some(2), DAY_MS), vec![closed(HOUR_MS)]].concat()),
    ];
    let books = Books::open(orders).await;
    let sum = |day: &str, kind: &str, sum, recorded| (day.to_owned(), kind.to_owned(), 1, sum, recorded);
    let year = [
        sum("2025-12-31", "PAYMENT", 100, 0),
        sum("2026-01-01", "PAYMENT", 200, 0),
        sum("2026-01-01", "LATE_PAYMENT", 800, 0),
        sum("2026-01-02", "PAYMENT", 400, 1),
        sum("2026-01-03", "REFUND", 30, 1),
    ];
    assert_eq!(books.totals("2025-12-31", "2026-01-31"), year);
    assert_eq!(books.totals("2026-01-01", "2026-01-01"), year[1..3]);
    assert_eq!(books.totals("2026-01-04", "2026-01-04"), []);

    assert_eq!(books.exported("2025-12-31", "2025-12-31"), [named("LAST", "PAYMENT")]);
    let of_first_day = [named("FIRST", "PAYMENT"), named("LATE", "LATE_PAYMENT")];
    assert_eq!(books.exported("2026-01-01", "2026-01-01"), of_first_day);
    let (begin, end) = ("2025-12-31T23:59:59.999+08:00", "2026-01-01T00:00:00.001+08:00");
    let around_midnight = [named("LAST", "PAYMENT"), named("FIRST", "PAYMENT")];
    assert_eq!(books.exported(begin, end), around_midnight);
    assert_eq!(books.exported(begin, "2026-01-01T00:00:00+08:00"), around_midnight[..1]);

    let args = ["order", "export", "--server", &books.server.grpc, "--merchant", "m01", "--log", "warn"];
    let done = paymux(&[&args[..], &["--from", "2026-01-02", "--to", "2026-01-03"]].concat());
    let mut csv = csv::Reader::from_reader(done.stdout.as_slice());
    let rows: Vec<_> = csv.records().map(|record| record.expect("a record")).collect();
    let cells = |row: usize| [3, 4, 5, 8, 10, 11].map(|column| rows[row][column].to_owned());
    assert_eq!(cells(0), ["2026-01-02", "RECORD_TIME", "", "400", "1", "'=1+1"]);
    assert_eq!(cells(1), ["2026-01-03", "RECORD_TIME", "", "30", "", ""]);
}

fn days(first: &str, last: &str) -> ListMovementsRequest {
    let dates = v1::BusinessDates { first_date: first.to_owned(), last_date: last.to_owned() };
    ListMovementsRequest {
        merchant_id: "m01".to_owned(),
        range: Some(Range::Dates(dates)),
        ..ListMovementsRequest::default()
    }
}

async fn refusal(client: &Client, request: ListMovementsRequest) -> Refusal {
    Refusal::of(&client.orders().list_movements(request).await.expect_err("refused"))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_hold_each_movement_once_and_wrong_requests_name_field_and_reason() {
    const COUNT: i64 = 25;
    // Each paid on one day and heard of on the next, so that each stands under two days and counts for one.
    let number = |n: i64| format!("PAGE-{n:02}");
    let payment = |n: i64| {
        let day = (n % 3) * DAY_MS;
        paid(&number(n), 100 + n, Some(day), day + DAY_MS)
    };
    let books = Books::open((0..COUNT).map(|n| (number(n), payment(n))).collect()).await;
    let client = books.server.client().await;
    let expected: Vec<_> =
        (0..3).flat_map(|day| (0..COUNT).filter(move |n| n % 3 == day)).map(number).collect();
    for page_size in [1, 4, 25, 26, 1000] {
        let mut request = ListMovementsRequest { page_size, ..days("2026-01-01", "2026-01-31") };
        let mut found = Vec::new();
        loop {
            let page = client.orders().list_movements(request.clone()).await.expect("a page").into_inner();
            assert!(page.movements.len() <= usize::try_from(page_size).expect("a size"));
            found.extend(page.movements.into_iter().map(|movement| movement.merchant_order_no));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(found, expected, "{page_size} a page");
    }

    let request = ListMovementsRequest { page_size: 4, ..days("2026-01-01", "2026-01-31") };
    let token = client.orders().list_movements(request).await.expect("a page").into_inner().next_page_token;
    let other = ListMovementsRequest { page_token: token, ..days("2026-01-02", "2026-01-31") };
    assert_eq!(refusal(&client, other).await.reason, ErrorReason::PageTokenInvalid);
    let times = |min: Option<i64>, max: Option<i64>| {
        let time = |time: Option<i64>| time.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 });
        let range = v1::TimeRange { time_min: time(min), time_max: time(max) };
        ListMovementsRequest { range: Some(Range::Times(range)), ..days("", "") }
    };
    let nothing = ListMovementsRequest { range: None, page_size: 1001, ..days("", "") };
    for (request, fields) in [
        (nothing, vec!["page_size", "range"]),
        (days("2026-1-1", "soon"), vec!["range.dates.first_date", "range.dates.last_date"]),
        (days("2026-01-02", "2026-01-01"), vec!["range.dates.last_date"]),
        (days("2026-01-01", "2027-02-05"), vec!["range.dates.last_date"]),
        (times(None, None), vec!["range.times.time_min", "range.times.time_max"]),
        (times(Some(5), Some(5)), vec!["range.times.time_max"]),
        (times(Some(0), Some(401 * 86_400)), vec!["range.times.time_max"]),
    ] {
        let refused = refusal(&client, request).await;
        let named: Vec<_> = refused.violations.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!((refused.reason, named), (ErrorReason::FieldInvalid, fields));
        assert!(refused.violations.iter().all(|(_, reason)| !reason.is_empty()));
    }
    let unknown =
        ListMovementsRequest { merchant_id: "nobody".to_owned(), ..days("2026-01-01", "2026-01-02") };
    assert_eq!(refusal(&client, unknown).await.reason, ErrorReason::MerchantUnknown);
    let wrong = paymux(&["totals", "--server", &books.server.grpc, "--date", "2026-02-30"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("must be a day as YYYY-MM-DD"), "{wrong:?}");
}
