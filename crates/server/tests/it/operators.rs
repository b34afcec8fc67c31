//! Operators' acts over real gRPC and by the command line: confirm, replay, look for what is unresolved, import.

use paymux_proto::client::{Client, Refusal};
use paymux_proto::v1;
use paymux_proto::v1::confirm_outcome_request::Outcome;
use paymux_proto::v1::replay_request::Target;
use paymux_proto::v1::{ErrorReason, Fulfilment, OrderState};
use serde_json::{Value, json};

use crate::rig::{PATIENCE, WAIT_S, World, get, order, paymux, seconds, until};

fn confirm(number: &str, request_id: &str, outcome: Outcome) -> v1::ConfirmOutcomeRequest {
    v1::ConfirmOutcomeRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: number.to_owned(),
        request_id: request_id.to_owned(),
        reason: "seen in the console".to_owned(),
        outcome: Some(outcome),
        validate_only: false,
    }
}

fn paid(trade_no: &str, minor: Option<i64>) -> Outcome {
    let total = minor.map(|minor| v1::Amount { currency: "CNY".to_owned(), minor });
    Outcome::Paid(v1::ConfirmedPayment { provider_trade_no: trade_no.to_owned(), total, success_time: None })
}

async fn refused(client: &Client, request: v1::ConfirmOutcomeRequest) -> (ErrorReason, Vec<String>) {
    let answer = client.operator().confirm_outcome(request).await;
    let refusal = Refusal::of(&answer.expect_err("it is refused"));
    (refusal.reason, refusal.violations.into_iter().map(|(field, _)| field).collect())
}

async fn confirmed(client: &Client, request: v1::ConfirmOutcomeRequest) -> v1::ConfirmOutcomeResponse {
    client.operator().confirm_outcome(request).await.expect("it is recorded").into_inner()
}

/// An order that can be paid.
async fn pending(client: &Client, number: &str, minor: i64) -> v1::Order {
    let create = v1::CreateOrderRequest { wait: Some(seconds(WAIT_S)), ..order("m01", number, minor) };
    client.create(create).await.expect("it is accepted");
    until(client, "m01", number, |order| order.state() == OrderState::Pending).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_confirms_a_payment_once_and_it_is_told_as_a_persons_word() {
    let world = World::start(&[]);
    let client = world.client().await;
    pending(&client, "CONFIRM-1", 1000).await;
    let unpaid = Outcome::Unpaid(v1::ConfirmedUnpaid {});
    let contradicts = ErrorReason::ConfirmationContradicts;
    let told = refused(&client, confirm("CONFIRM-1", "c0", unpaid.clone())).await;
    assert_eq!(told, (contradicts, vec!["unpaid".to_owned()]), "the payer can still pay");

    let only_asked =
        v1::ConfirmOutcomeRequest { validate_only: true, ..confirm("CONFIRM-1", "c1", paid("T-1", None)) };
    let foreseen = confirmed(&client, only_asked).await;
    assert_eq!(foreseen.fact_keys, ["operator/paid/T-1", "fulfilment/FULFIL"]);
    assert_eq!(foreseen.order.unwrap().state(), OrderState::Paid);
    let as_it_is = client.orders().get_order(get("m01", "CONFIRM-1", 0)).await.unwrap().into_inner();
    assert_eq!(as_it_is.order.unwrap().state(), OrderState::Pending, "nothing was done");

    let done = confirmed(&client, confirm("CONFIRM-1", "c1", paid("T-1", None))).await;
    assert_eq!(done.fact_keys, foreseen.fact_keys);
    let order = done.order.unwrap();
    let payment = &order.payments[0];
    assert_eq!((order.state(), order.fulfilment()), (OrderState::Paid, Fulfilment::Fulfil));
    assert_eq!(payment.evidence(), v1::PaymentEvidence::Operator);
    assert_eq!(payment.total.as_ref().unwrap().minor, 1000);
    let again = confirmed(&client, confirm("CONFIRM-1", "c1", paid("T-1", None))).await;
    assert!(again.fact_keys.is_empty(), "{again:?}");
    assert_eq!(refused(&client, confirm("CONFIRM-1", "c2", unpaid)).await.0, contradicts);
    let other = refused(&client, confirm("CONFIRM-1", "c3", paid("T-1", Some(999)))).await;
    assert_eq!(other, (contradicts, vec!["paid.total".to_owned()]));

    pending(&client, "CONFIRM-2", 1000).await;
    let foreign = refused(&client, confirm("CONFIRM-2", "c4", paid("T-1", None))).await;
    assert_eq!(foreign, (contradicts, vec!["paid.provider_trade_no".to_owned()]));
    let name = v1::FindOrderRequest {
        merchant_id: "m01".to_owned(),
        provider: "wechatpay".to_owned(),
        provider_trade_no: "T-1".to_owned(),
    };
    let found = client.orders().find_order(name).await.unwrap().into_inner().order.unwrap();
    assert_eq!(found.merchant_order_no, "CONFIRM-1");
    let timeline =
        v1::GetTimelineRequest { merchant_id: "m01".to_owned(), merchant_order_no: "CONFIRM-1".to_owned() };
    let story = client.orders().get_timeline(timeline).await.unwrap().into_inner();
    let word = story.entries.iter().find(|entry| entry.fact_key == "operator/paid/T-1").unwrap();
    assert_eq!(word.kind(), v1::FactKind::OperatorPaid);
    assert!(word.summary.contains("confirmed payment T-1") && word.summary.contains("seen in the console"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_confirmed_for_two_orders_at_once_becomes_ones_and_the_other_is_told() {
    let world = World::start(&[]);
    let client = world.client().await;
    for number in ["TWO-0001", "TWO-0002"] {
        pending(&client, number, 1000).await;
    }
    let [first, second] = ["TWO-0001", "TWO-0002"].map(|number| {
        let (client, request) = (client.clone(), confirm(number, &format!("c-{number}"), paid("T-1", None)));
        async move { client.operator().confirm_outcome(request).await }
    });
    let (first, second) = tokio::join!(first, second);
    let (recorded, other) = if first.is_ok() { (first, second) } else { (second, first) };
    assert_eq!(recorded.expect("one is recorded").into_inner().order.unwrap().state(), OrderState::Paid);
    let refusal = Refusal::of(&other.expect_err("one is refused"));
    assert_eq!(refusal.reason, ErrorReason::ConfirmationContradicts);
    assert_eq!(refusal.violations[0].0, "paid.provider_trade_no");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_confirmation_is_named_at_once() {
    let world = World::start(&[]);
    let client = world.client().await;
    let (reason, fields) = refused(&client, v1::ConfirmOutcomeRequest::default()).await;
    assert_eq!(reason, ErrorReason::FieldInvalid);
    assert_eq!(fields, ["merchant_id", "merchant_order_no", "request_id", "reason", "outcome"]);
    let long = "r".repeat(201);
    let odd = v1::ConfirmOutcomeRequest { reason: long, ..confirm("CONFIRM-9", "c", paid("T 1", Some(0))) };
    let (_, fields) = refused(&client, odd).await;
    assert_eq!(fields, ["reason", "paid.provider_trade_no", "paid.total.minor"]);
    assert_eq!(
        refused(&client, confirm("CONFIRM-9", "c", paid("T-1", None))).await.0,
        ErrorReason::OrderNotFound
    );
    pending(&client, "CONFIRM-8", 1000).await;
    let refund =
        v1::ConfirmedRefund { refund_no: "R1".to_owned(), done: true, provider_refund_no: String::new() };
    let refund = confirm("CONFIRM-8", "c", Outcome::Refund(refund));
    assert_eq!(refused(&client, refund).await.0, ErrorReason::RefundNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn misreported_money_is_confirmed_and_settled_with_a_word_on_the_goods() {
    let world = World::start(&[]);
    let client = world.client().await;
    // These digits make the provider state one fen more than the order has.
    pending(&client, "MISSTATED-2", 1095).await;
    let out_trade_no = format!("{}MISSTATED-2", world.merchants[0].prefix);
    world.control("pay", &json!({ "mchid": world.merchants[0].mchid, "out_trade_no": out_trade_no })).await;
    let parked = until(&client, "m01", "MISSTATED-2", |order| !order.attention.is_empty()).await;
    assert_eq!(parked.attention[0].reason(), v1::AttentionReason::PaymentMismatch);

    let replay = v1::ReplayRequest {
        request_id: "replay".to_owned(),
        reason: "a test".to_owned(),
        count_max: 10,
        target: Some(Target::Parked(v1::OrderFilter::default())),
        ..v1::ReplayRequest::default()
    };
    let replayed = client.operator().replay(replay).await.unwrap().into_inner();
    assert_eq!((replayed.matched_count, replayed.replayed_count, replayed.more), (1, 0, false));
    assert!(replayed.items[0].effect.contains("PAYMENT_MISMATCH 1"), "{replayed:?}");

    let settle = |fulfilment: Option<Fulfilment>| {
        Outcome::Attention(v1::SettledAttention {
            reason: v1::AttentionReason::PaymentMismatch.into(),
            number: 1,
            fulfilment: fulfilment.map(Into::into),
        })
    };
    let told = parked.attention[0].detail.clone();
    let trade_no = told.split_whitespace().nth(1).unwrap();
    let recorded = confirmed(&client, confirm("MISSTATED-2", "c1", paid(trade_no, Some(1096)))).await;
    assert_eq!(recorded.fact_keys, [format!("operator/paid/{trade_no}")]);
    let order = recorded.order.unwrap();
    assert_eq!((order.state(), order.fulfilment()), (OrderState::Paid, Fulfilment::Pending));
    let (reason, fields) = refused(&client, confirm("MISSTATED-2", "c2", settle(None))).await;
    assert_eq!(
        (reason, fields),
        (ErrorReason::ConfirmationContradicts, vec!["attention.fulfilment".to_owned()])
    );
    let listed = client.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap().into_inner();
    assert!(listed.orders[0].way_out.contains("FULFIL or DO_NOT_FULFIL"), "{listed:?}");
    let settled = confirm("MISSTATED-2", "c3", settle(Some(Fulfilment::Fulfil)));
    assert_eq!(confirmed(&client, settled).await.order.unwrap().fulfilment(), Fulfilment::Fulfil);
    let parked = client.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap().into_inner();
    assert!(parked.orders.is_empty(), "{parked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_an_answer_is_listed_and_its_order_asked_about() {
    let world = World::start(&[]);
    let client = world.client().await;
    // These digits make the first create hang until its deadline.
    client.create(order("m01", "HUNG-0001", 1052)).await.unwrap();
    let list =
        v1::ListUnresolvedRequest { age_min: Some(seconds(0)), ..v1::ListUnresolvedRequest::default() };
    let begun = tokio::time::Instant::now();
    let calls = loop {
        let page = client.operator().list_unresolved(list.clone()).await.unwrap().into_inner();
        if !page.calls.is_empty() {
            break page.calls;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is listed");
    };
    assert_eq!((calls.len(), calls[0].fact_key.as_str()), (1, "attempt/1"));
    assert_eq!(calls[0].operation(), v1::ProviderOperation::Create);
    let young = v1::ListUnresolvedRequest { age_min: None, ..list.clone() };
    assert!(client.operator().list_unresolved(young).await.unwrap().into_inner().calls.is_empty());

    let replay = v1::ReplayRequest {
        request_id: "replay".to_owned(),
        reason: "a test".to_owned(),
        count_max: 1,
        validate_only: true,
        target: Some(Target::Order(v1::OrderName {
            merchant_id: "m01".to_owned(),
            merchant_order_no: "HUNG-0001".to_owned(),
        })),
    };
    let foreseen = client.operator().replay(replay.clone()).await.unwrap().into_inner();
    assert_eq!((foreseen.matched_count, foreseen.replayed_count), (1, 0));
    let done = client.operator().replay(v1::ReplayRequest { validate_only: false, ..replay }).await.unwrap();
    let done = done.into_inner();
    assert_eq!((done.replayed_count, &done.items), (1, &foreseen.items));
    until(&client, "m01", "HUNG-0001", |order| order.state() == OrderState::Pending).await;
    assert!(client.operator().list_unresolved(list).await.unwrap().into_inner().calls.is_empty());
}

/// The results of a command, one JSON value a line.
fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

#[test]
fn an_export_is_compared_and_what_nobody_knew_is_confirmed() {
    let world = World::start(&[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(world.client());
    let account = runtime.block_on(pending(&client, "SETTLE-1", 1234)).account;
    runtime.block_on(pending(&client, "SETTLE-2", 500));
    let (prefix, mchid) = (world.merchants[0].prefix.as_str(), world.merchants[0].mchid.as_str());
    let bill = |name: &str, rows: &[(&str, &str, &str)]| {
        let mut text = "交易时间,商户号,微信订单号,商户订单号,交易状态,订单金额\n".to_owned();
        for (trade_no, number, total) in rows {
            let row = format!("`{mchid},`{trade_no},`{prefix}{number},`SUCCESS,`{total}");
            text.push_str(&format!("`2026-05-10 08:00:00,{row}\n"));
        }
        text.push_str(&format!("总交易单数,应结订单总金额\n`{},`0.00\n", rows.len()));
        let file = world.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let import = |file: &str, more: &[&str]| {
        let base = ["settle", "--server", &world.grpc, "import", file, "--account", &account];
        let own: &[&str] = if more.contains(&"--mchid") { &[] } else { &["--mchid", mchid] };
        paymux(&[&base[..], &["--output", "json", "--log", "warn"], own, more].concat())
    };
    let all = bill(
        "all.csv",
        &[("T-1", "SETTLE-1", "12.34"), ("T-2", "SETTLE-2", "6.00"), ("T-3", "NONE-0001", "1.00")],
    );
    let dry = import(&all, &["--dry-run"]);
    assert_eq!(dry.status.code(), Some(4), "{dry:?}");
    let told = lines(&dry);
    let verdicts: Vec<&str> = told.iter().filter_map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["would_confirm", "differs", "unknown"]);
    assert_eq!((&told[3]["lines"], &told[3]["confirmed"]), (&json!(3), &json!(1)));
    let state = || {
        let got = runtime.block_on(client.orders().get_order(get("m01", "SETTLE-1", 0)));
        got.unwrap().into_inner().order.unwrap().state()
    };
    assert_eq!(state(), OrderState::Pending, "nothing was done");

    let foreign = import(&all, &["--mchid", "1900000009"]);
    assert_eq!(foreign.status.code(), Some(65), "{foreign:?}");
    assert_eq!((&lines(&foreign)[0]["line"], &lines(&foreign)[0]["column"]), (&json!(2), &json!("商户号")));
    let payjs = import(&all, &["--format", "payjs"]);
    assert_eq!((payjs.status.code(), lines(&payjs).len()), (Some(1), 0), "{payjs:?}");
    assert_eq!(state(), OrderState::Pending, "nothing was done");

    let known = bill("known.csv", &[("T-1", "SETTLE-1", "12.34")]);
    let done = import(&known, &["--reason", "bill of 10 May"]);
    assert_eq!((done.status.code(), state()), (Some(0), OrderState::Paid), "{done:?}");
    let again = import(&known, &[]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!((&lines(&again)[0]["agreed"], &lines(&again)[0]["confirmed"]), (&json!(1), &json!(0)));

    let faulty = bill("faulty.csv", &[("T-4", "SETTLE-2", "five"), ("", "SETTLE-2", "5.00")]);
    let faulty = import(&faulty, &[]);
    assert_eq!(faulty.status.code(), Some(65), "{faulty:?}");
    let faults = lines(&faulty);
    assert_eq!((&faults[0]["line"], &faults[0]["column"]), (&json!(2), &json!("订单金额")));
    assert_eq!((&faults[1]["line"], &faults[1]["column"]), (&json!(3), &json!("微信订单号")));
}

#[test]
fn any_other_export_is_compared_by_what_a_mapping_says_of_it() {
    let world = World::start(&[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(world.client());
    let account = runtime.block_on(pending(&client, "MAPPED-1", 500)).account;
    let prefix = world.merchants[0].prefix.as_str();
    let written = |name: &str, text: &str| {
        let file = world.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let statement = written("statement.csv", &format!("Sum,Order,Number\n500,{prefix}MAPPED-1,T-5\n"));
    let mapped = |columns: &str| {
        let mapping = written("mapping.toml", &format!("amount_unit = \"fen\"\n[columns]\n{columns}"));
        let base = ["settle", "--server", &world.grpc, "import", &statement, "--account", &account];
        paymux(&[&base[..], &["--mapping", &mapping, "--output", "json", "--log", "warn"]].concat())
    };
    let columns = "out_trade_no = \"Order\"\ntrade_no = \"Number\"\namount = \"Sum\"\n";
    let done = mapped(columns);
    assert_eq!((done.status.code(), &lines(&done)[0]["verdict"]), (Some(0), &json!("confirmed")), "{done:?}");
    let missing = mapped(&columns.replace("Sum", "Total"));
    assert_eq!(missing.status.code(), Some(65), "{missing:?}");
    assert_eq!((&lines(&missing)[0]["line"], &lines(&missing)[0]["column"]), (&json!(1), &json!("Total")));
    let faulty = mapped("out_trade_no = \"Order\"\n");
    let told = String::from_utf8_lossy(&faulty.stderr).into_owned();
    assert!(told.contains("columns.trade_no: is missing; columns.amount: is missing"), "{faulty:?}");
}

#[test]
fn operators_work_by_the_command_line() {
    let world = World::start(&[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(world.client());
    runtime.block_on(pending(&client, "CLI-OPS-1", 700));
    let run = |args: &[&str], server_at: usize| {
        let (before, after) = args.split_at(server_at);
        paymux(&[before, &["--server", &world.grpc, "--output", "json", "--log", "warn"], after].concat())
    };
    let name = ["--merchant", "m01", "--order", "CLI-OPS-1"];
    let listed = run(&["parked", "list", "--merchant", "m01"], 1);
    assert_eq!((listed.status.code(), lines(&listed).len()), (Some(0), 0));
    let replayed = run(&[&["parked", "replay", "--reason", "a test", "--dry-run"][..], &name].concat(), 1);
    assert_eq!(lines(&replayed)[0]["effect"], "the provider is asked now");
    assert_eq!(lines(&replayed)[1]["replayed_count"], 0);
    let unresolved = run(&["unresolved", "list", "--merchant", "m01", "--age", "0"], 1);
    assert_eq!((unresolved.status.code(), lines(&unresolved).len()), (Some(0), 0));
    let unpaid = run(&[&["order", "confirm", "unpaid", "--reason", "a test"][..], &name].concat(), 1);
    assert_eq!(unpaid.status.code(), Some(3));
    assert_eq!(lines(&unpaid)[0]["error"]["violations"][0]["field"], "unpaid");
    let paid = ["order", "confirm", "paid", "--trade-no", "T-7", "--reason", "seen"];
    let paid = run(&[&paid[..], &name].concat(), 1);
    assert_eq!(paid.status.code(), Some(0), "{paid:?}");
    assert_eq!(lines(&paid)[0]["order"]["payments"][0]["evidence"], "OPERATOR");
    assert_eq!(lines(&paid)[0]["fact_keys"], json!(["operator/paid/T-7", "fulfilment/FULFIL"]));
    let none = ["order", "confirm", "attention", "--attention", "LATE_PAYMENT", "--reason", "seen"];
    let none = run(&[&none[..], &name].concat(), 1);
    assert_eq!(lines(&none)[0]["error"]["reason"], "CONFIRMATION_CONTRADICTS");
}
