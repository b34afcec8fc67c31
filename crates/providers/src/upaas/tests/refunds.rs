//! Refunds: what their answers say, by an account that states where they stand and by one that does not.

use paymux_domain::outcome::{Class, Operation, Word};
use paymux_domain::refund::RefundProgress;
use serde_json::{Value, json};

use super::{BARE, asked, asked_refund, kit, kit_of, plain, refund_data, signed, with};

/// A bare account with a refund whose answers do not say where it stands.
fn silent(accepted: &str, more: &str) -> super::Kit {
    kit_of(&format!("{BARE}\nrefund.accepted = \"{accepted}\"\n{more}"))
}

const QUERY: &str =
    "refund_query = { status_field = \"s\", done = [\"Y\"], processing = [\"P\"], failed = [\"N\"] }";

#[test]
fn a_refund_is_told_with_its_numbers() {
    let report = kit().parse(&asked(Operation::Refund), &signed(&refund_data("SUCCESS")));
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!(word.out_refund_no.as_ref().map(|no| no.as_str()), Some(super::REFUND_NO));
    assert_eq!((word.progress, word.amount_minor), (RefundProgress::Done, Some(1)));
    assert_eq!((word.provider_refund_no.as_deref(), word.code.as_str()), (Some("R20231114"), "SUCCESS"));
}

#[test]
fn an_answer_without_a_status_means_what_the_account_says() {
    for (accepted, progress) in [("processing", RefundProgress::Processing), ("done", RefundProgress::Done)] {
        let kit = silent(accepted, QUERY);
        for data in [json!({}), Value::Null, json!({ "merchant_order_no": super::NUMBER })] {
            let report = kit.parse(&asked(Operation::Refund), &plain("000000", &data));
            let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
            assert_eq!((word.progress, word.amount_minor), (progress, None));
        }
    }
}

#[test]
fn an_answer_about_another_refund_is_a_mismatch() {
    for call in [asked(Operation::Refund), asked_refund()] {
        for field in ["refund_no", "merchant_order_no"] {
            let other = with(&refund_data("SUCCESS"), json!({ field: "other" }));
            let report = kit().parse(&call, &signed(&other));
            assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MISMATCH"));
            assert_eq!(report.words, [Word::Mismatch { field }]);
        }
    }
}

#[test]
fn what_cannot_be_read_is_unknown() {
    for bad in [json!({"refund_status": "?"}), json!({"refund_status": null}), json!({"refund_amount": "x"})]
    {
        for call in [asked(Operation::Refund), asked_refund()] {
            let report = kit().parse(&call, &signed(&with(&refund_data("SUCCESS"), bad.clone())));
            assert_eq!((report.class, report.code.as_str()), (Class::Unknown, "MALFORMED"));
            assert_eq!(report.words, []);
        }
    }
    let unnamed = with(&refund_data("SUCCESS"), json!({ "refund_no": null }));
    assert_eq!(kit().parse(&asked_refund(), &signed(&unnamed)).class, Class::Unknown, "which refund?");
    let wrong = with(&refund_data("SUCCESS"), json!({ "refund_amount": "0.02" }));
    let report = kit().parse(&asked_refund(), &signed(&wrong));
    let [Word::Refund(word)] = report.words.as_slice() else { panic!("{report:?}") };
    assert_eq!(word.amount_minor, Some(2), "told as it is stated");
}

#[test]
fn a_refund_without_words_needs_a_way_to_end() {
    let faults = |section: &str| super::read(&[("shop", section)]).err().unwrap_or_default();
    let endless = faults(&format!("{BARE}\nrefund.amounts = \"whole\""));
    assert_eq!(endless.len(), 1);
    assert_eq!(endless[0].key, "refund.accepted");
    for good in ["refund.accepted = \"done\"", "refund = { status_field = \"s\", done = [\"Y\"] }"] {
        assert_eq!(faults(&format!("{BARE}\n{good}")), [], "{good}");
    }
}
