//! Exports line by line: what is read, what is refused, and where.

use super::*;
use crate::cli::settle::mapping::tests::{WHOLE, mapping};

const HEAD: &str = "\u{feff}交易时间,商户号,微信订单号,商户订单号,交易状态,微信退款单号,商户退款单号,申请退款金额,退款状态,订单金额\n";

const PAYJS_HEAD: &str = "商户订单号,PAYJS订单号,状态,订单金额\n";

fn source(kind: Kind) -> Source {
    let mchid = if kind == Kind::Wechatpay { "190001" } else { "" };
    Source { kind, mchid: mchid.to_owned(), sub_mchid: String::new(), mapping: None }
}

fn survey(kind: Kind, text: &str) -> Survey {
    Export::new(&source(kind), text.as_bytes()).survey()
}

fn told(survey: &Survey) -> Vec<String> {
    survey.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bill_is_read_with_its_marks_and_its_summary() {
    let text = format!(
        "{HEAD}`2026-05-10 08:00:00,`190001,`4200001,`a1-1,`SUCCESS,`0,`0,`0.00,`,`12.34\n\
         `2026-05-10 09:00:00,`190001,`4200001,`a1-1,`REFUND,`5030001,`r1,`1.00,`SUCCESS,`0.00\n\
         {SUMMARY},应结订单总金额\n`2,`12.34\n"
    );
    let lines: Vec<Line> =
        Export::new(&source(Kind::Wechatpay), text.as_bytes()).map(Result::unwrap).collect();
    let [payment, refund] = &lines[..] else { panic!("{lines:?}") };
    assert!(matches!(&payment.what, What::Payment { total_minor: 1234, success_time: Some(_), .. }));
    assert!(matches!(&refund.what, What::Refund { total_minor: 100, done: true, .. }));
    assert_eq!((payment.number, refund.number), (2, 3));
    assert!(survey(Kind::Wechatpay, &text).is_refunded(&payment.out_trade_no));
}

#[test]
fn every_fault_names_line_column_and_reason() {
    let text = format!(
        "{HEAD}`x,`190001,`42 1,`,`SUCCESS,,,,,`0.00\n`2026-05-10 09:00:00,`190001,`1,`a1-1,`PAID,,,,,`1\n{SUMMARY},\n`3,\n"
    );
    let survey = survey(Kind::Wechatpay, &text);
    let told = told(&survey);
    for (at, start) in [
        "line 2, 商户订单号: must be",
        "line 2, 微信订单号: must be",
        "line 2, 订单金额: must be an amount",
        "line 2, 交易时间: must be a time",
        "line 3, 交易状态: must be SUCCESS",
        "line 5, 总交易单数: names \"3\" lines, the file has 2",
    ]
    .iter()
    .enumerate()
    {
        assert!(told[at].starts_with(start), "{told:?}");
    }
    assert_eq!(told.len(), 6);
}

#[test]
fn a_file_that_is_no_export_is_told_so() {
    assert_eq!(told(&survey(Kind::Payjs, "")), ["line 1: the file is empty"]);
    let missing = told(&survey(Kind::Payjs, "a,b\n1,2\n"));
    assert_eq!(missing.len(), 4);
    assert!(missing.iter().all(|fault| fault.ends_with("there is no such column")), "{missing:?}");
}

/// Exports come in other encodings, too, and a wrong file may be anything.
#[test]
fn what_cannot_be_read_is_told_line_by_line_and_never_held_as_a_whole() {
    let lines = 200_000;
    let latin = [PAYJS_HEAD.as_bytes(), &b"\xff\xfe,\n".repeat(lines)].concat();
    let survey = Export::new(&source(Kind::Payjs), latin.as_slice()).survey();
    assert_eq!(told(&survey)[..2], ["line 2: is not UTF-8", "line 3: is not UTF-8"]);
    assert_eq!(survey.faults.len() + usize::try_from(survey.more_faults).unwrap(), lines);
    let head = Export::new(&source(Kind::Payjs), &b"\xff,\n1,2\n"[..]).survey();
    assert_eq!(told(&head), ["line 1: is not UTF-8"]);
    let endless = Export::new(&source(Kind::Payjs), io::repeat(b'a')).survey();
    assert_eq!(told(&endless), ["line 1: is longer than 65536 bytes: this is no export"]);
    let open = PAYJS_HEAD.as_bytes().chain(&b"\""[..]).chain(io::repeat(b'\n'));
    let open = Export::new(&source(Kind::Payjs), open).survey();
    assert!(told(&open).len() == 1 && told(&open)[0].contains("is longer than"), "{open:?}");
}

#[test]
fn many_faults_are_counted_and_few_kept() {
    let mut text = HEAD.to_owned();
    text.extend((0..300).map(|_| "`2026-05-10 09:00:00,`190001,`1,`a1-1,`PAID,,,,,`1\n"));
    let survey = survey(Kind::Wechatpay, &text);
    assert_eq!((survey.faults.len(), survey.more_faults), (FAULTS_MAX, 201));
}

#[test]
fn two_payments_of_one_order_are_known_before_the_first_is_confirmed() {
    let text = format!("{PAYJS_HEAD}a1-1,T1,已支付,1.00\na1-1,T2,已支付,1.00\na1-2,T3,已支付,1.00\n");
    let survey = survey(Kind::Payjs, &text);
    assert!(survey.faults.is_empty(), "{survey:?}");
    let twice = |number: &str| survey.is_paid_twice(&number.parse().unwrap());
    assert_eq!([twice("a1-1"), twice("a1-2")], [true, false]);
}

#[test]
fn a_bill_of_another_merchant_or_currency_is_refused_with_line_and_column() {
    let head = "商户号,特约商户号,微信订单号,商户订单号,交易状态,订单金额,货币种类\n";
    let row = |mchid: &str, sub: &str, currency: &str| {
        format!("{head}`{mchid},`{sub},`1,`a1-1,`SUCCESS,`1.00,`{currency}\n{SUMMARY},\n`1,\n")
    };
    let read = |source: &Source, text: &str| told(&Export::new(source, text.as_bytes()).survey());
    let own = source(Kind::Wechatpay);
    for sub in ["", "0"] {
        assert_eq!(read(&own, &row("190001", sub, "CNY")), Vec::<String>::new());
    }
    let faults = read(&own, &row("190002", "190003", "USD"));
    for (at, start) in
        ["line 2, 商户号: is 190002", "line 2, 特约商户号: is 190003", "line 2, 货币种类: must be CNY"]
            .iter()
            .enumerate()
    {
        assert!(faults[at].starts_with(start), "{faults:?}");
    }
    let partner = Source { sub_mchid: "190003".to_owned(), ..own };
    assert_eq!(read(&partner, &row("190001", "190003", "CNY")), Vec::<String>::new());
    assert_eq!(read(&partner, &row("190001", "0", "CNY")).len(), 1);
    let missing = read(&partner, &format!("{HEAD}{SUMMARY},\n`0,\n"));
    assert_eq!(missing, ["line 1, 特约商户号: there is no such column"]);
    let missing = read(&partner, "微信订单号,商户订单号,交易状态,订单金额,特约商户号\n");
    assert_eq!(missing, ["line 1, 商户号: there is no such column"]);
}

#[test]
fn a_trade_number_of_two_orders_is_a_fault_of_the_file() {
    let text = format!("{PAYJS_HEAD}a1-1,T1,已支付,1.00\na1-2,T1,已支付,1.00\na1-1,T1,已支付,1.00\n");
    let told = told(&survey(Kind::Payjs, &text));
    assert_eq!(told, ["line 3, PAYJS订单号: T1 is the payment of another order, too: see line 2"]);
}

#[test]
fn a_bill_without_its_summary_was_cut_off() {
    let row = "`2026-05-10 08:00:00,`190001,`4200001,`a1-1,`SUCCESS,`0,`0,`0.00,`,`12.34\n";
    for text in [format!("{HEAD}{row}"), HEAD.to_owned(), format!("{HEAD}{row}{SUMMARY},\n")] {
        let told = told(&survey(Kind::Wechatpay, &text));
        assert!(told.len() == 1 && told[0].ends_with("it was cut off"), "{told:?}");
    }
    let whole = format!("{HEAD}{row}{SUMMARY},\n`1,\n");
    assert_eq!(told(&survey(Kind::Wechatpay, &whole)), Vec::<String>::new());
}

#[test]
fn a_refund_number_that_the_server_would_refuse_is_a_fault_of_the_file() {
    let row = |no: &str| {
        format!(
            "{HEAD}`2026-05-10 09:00:00,`190001,`4200001,`a1-1,`REFUND,`{no},`r1,`1.00,`SUCCESS,`0.00\n\
             {SUMMARY},\n`1,\n"
        )
    };
    for no in ["50 30", "退款", &"5".repeat(65)] {
        let told = told(&survey(Kind::Wechatpay, &row(no)));
        assert!(told.len() == 1 && told[0].starts_with("line 2, 微信退款单号: must have"), "{told:?}");
    }
    assert_eq!(told(&survey(Kind::Wechatpay, &row("5030001"))), Vec::<String>::new());
}

fn mapped(text: &str) -> Export<&[u8]> {
    let mapping = Some(mapping(WHOLE).into());
    Export::new(&Source { mapping, ..source(Kind::Mapped) }, text.as_bytes())
}

const MAPPED_HEAD: &str = "At,Order,Number,Sum,Fee,State,Refund,Their refund,Back\n";

#[test]
fn an_export_is_read_by_its_mapping() {
    let text = format!(
        "{MAPPED_HEAD}2026/05/10 08:00,a1-1x,T1,1234,7,ok,,,\n,a1-2x,,,,gone,,,\n,a1-3x,,,,all back,,,\n\
         ,a1-1x,T1,1234,,back,r1,,34\n"
    );
    let lines: Vec<Line> = mapped(&text).map(Result::unwrap).collect();
    let [paid, unpaid, refunded, refund] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(paid.out_trade_no.as_str(), "a1-1");
    assert!(matches!(
        &paid.what,
        What::Payment { total_minor: 1234, fee_minor: Some(7), success_time: Some(_), .. }
    ));
    assert!(matches!((&unpaid.what, &refunded.what), (What::Unpaid(_), What::Refunded)));
    let What::Refund { total_minor: 34, done: true, provider_refund_no, .. } = &refund.what else {
        panic!("{refund:?}")
    };
    assert!(provider_refund_no.is_empty() && mapped(&text).survey().is_refunded(&paid.out_trade_no));
}

#[test]
fn every_fault_of_a_mapped_export_names_line_column_and_reason() {
    let text = format!("{MAPPED_HEAD}10 May,a1-1,T 1,12.34,-1,ok,,,\n,a1-2x,,,,perhaps,,,\n");
    let told = told(&mapped(&text).survey());
    assert_eq!(
        told,
        [
            "line 2, Order: must end with x",
            "line 2, Number: must be 1 to 64 of 0-9 A-Z a-z _ -",
            "line 2, Sum: must be an amount above zero in fen, such as 1234",
            "line 2, At: must be a time such as 2026/05/10 08:00",
            "line 2, Fee: must be an amount without a sign, or nothing",
            "line 3, State: must be one of: all back, back, gone, ok, open",
        ]
    );
    let missing = self::told(&mapped("At,Order\n").survey());
    assert!(missing.contains(&"line 1, Fee: there is no such column".to_owned()), "{missing:?}");
}
