//! An account's section: every fault at once, and capabilities that follow from what is named.

use std::time::Duration;

use paymux_domain::capabilities::{
    AnswerSignature, Capabilities, CloseKind, CreateKind, QueryKind, QueryProof, RefundKind,
};

use super::{BARE, FULL, created, kit, read};
use crate::PROVIDERS;

fn faults(sections: &[(&str, &str)]) -> String {
    let faults = read(sections).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn capabilities(more: &str) -> Capabilities {
    super::kit_of(&format!("{BARE}\n{more}")).0.capabilities(&created()).unwrap()
}

const QUERY: &str = "query = { status_field = \"s\", paid = [\"Y\"] }\n";

#[test]
fn a_good_section_gives_an_account() {
    let accounts = read(&[("shop", BARE)]).unwrap();
    insta::assert_snapshot!(format!("{accounts:?}"), @r#"
    {"shop": AccountInfo { provider: "upaas", methods: ["weixin_jsapi", "weixin_mini_program", "alipay", "unionpay"], number_space: "1000001", identity: "store 1000001", timeout: 5s }}
    "#);
    assert!(accounts.signing_keys().is_empty(), "nothing for the pool");
    let of_merchant = read(&[("shop", &format!("{BARE}\nmerchant = \"head-office\""))]).unwrap();
    let info = of_merchant.account(&"shop".parse().unwrap()).unwrap();
    assert_eq!((info.number_space.as_str(), info.identity.as_str()), ("head-office", "store 1000001"));
}

#[test]
fn an_account_that_names_nothing_can_create_and_no_more() {
    let bare = capabilities("");
    assert_eq!((bare.create, bare.create_idempotent), (CreateKind::Call, false));
    assert_eq!((bare.query, bare.close, bare.refund), (QueryKind::None, CloseKind::None, RefundKind::None));
    assert_eq!((bare.refund_query, bare.confirm_above_minor), (false, None));
    assert_eq!((bare.query_proof, bare.answer_signature), (QueryProof::Tls, AnswerSignature::None));
    assert_eq!(bare.expiry_grace, Duration::from_secs(7500));
    let registered = PROVIDERS.iter().find(|known| known.name == "upaas").unwrap();
    for method in registered.methods {
        assert_eq!((registered.capabilities)(method), Some(&bare), "{method}");
    }
    let mut order = created();
    order.account = "gone".parse().unwrap();
    assert_eq!(kit().0.capabilities(&order), Some(bare), "its orders keep their course");
    order.method = "cashier".to_owned();
    assert_eq!(kit().0.capabilities(&order), None);
}

#[test]
fn each_thing_that_is_named_is_a_capability_by_itself() {
    let bare = capabilities("");
    let query = capabilities(QUERY);
    assert_eq!(
        query,
        Capabilities {
            query: QueryKind::ByOutTradeNo,
            query_amount: true,
            confirm_above_minor: Some(0),
            ..bare
        }
    );
    let close = capabilities("close = { paid_order = \"refused\", min_age_s = 60 }");
    let kind = CloseKind::Call { min_age: Duration::from_secs(60), refuses_paid: true };
    assert_eq!(close, Capabilities { close: kind, ..bare });
    let asks_first = capabilities(&format!("{QUERY}close = {{}}"));
    assert_eq!(asks_first.close, CloseKind::Call { min_age: Duration::ZERO, refuses_paid: false });
    let whole = capabilities("refund = { accepted = \"done\", window_days = 30, spacing_s = 2 }");
    let window = Duration::from_secs(30 * 24 * 3600);
    let refund = Capabilities {
        refund: RefundKind::Full,
        refund_window: window,
        refund_spacing: Duration::from_secs(2),
        ..bare
    };
    assert_eq!(whole, refund);
    let parts = capabilities(
        "refund = { accepted = \"done\", amounts = \"parts\", refunds_max = 5, repeated = \"refunds_once\" }",
    );
    assert_eq!((parts.refund, parts.refund_idempotent), (RefundKind::Partial { refunds_max: 5 }, true));
    assert!(
        capabilities("refund = {}\nrefund_query = { status_field = \"s\", done = [\"Y\"] }").refund_query
    );
    let told = capabilities("key_env = \"KEY\"\nnotification = {}");
    // Nobody is asked: nothing waits for an answer.
    assert_eq!(told, Capabilities { notification: true, ..bare });
    let signed = capabilities("key_env = \"KEY\"\nresponse_sign = \"scalars_without_prepay\"");
    assert_eq!((signed.query_proof, signed.answer_signature), (QueryProof::Signed, AnswerSignature::Always));
    assert!(capabilities("repeated_create = \"same_order\"").create_idempotent);
    assert_eq!(capabilities("expiry_grace_s = 0").expiry_grace, Duration::ZERO);
    let above =
        capabilities(&format!("{QUERY}confirm_by_query = \"above\"\nconfirm_above_amount_minor = 10000"));
    assert_eq!(above.confirm_above_minor, Some(10_000));
    assert_eq!(capabilities(&format!("{QUERY}confirm_by_query = \"never\"")).confirm_above_minor, None);
}

/// A section in which hardly a key is right.
const FAULTY: &str = r#"
        store_num = "12345678"
        merchant = ""
        wx_appid = " a"
        staff_num = "123456789"
        pay_resource = 1000
        request_sign = "md5"
        response_sign = "scalars"
        key_joining = "glued"
        request_format = "xml"
        request_fields = [{ name = "amount", value = "1" }, { name = "a", value = "1" }, { name = "a", value = "" }]
        notify_url_field = "sign"
        repeated_create = "maybe"
        codes = [
            { operation = "create", code = "1", means = "NOT_EXIST" },
            { operation = "pay", code = "", means = "BAD" },
            { code = "2", means = "OPS" },
            { operation = "close", code = "3", means = "FINAL" },
            { operation = "query", code = "4", means = "DONE" },
            { operation = "query", code = "4", means = "OPS" },
        ]
        query = { path = "v2", status_field = "a b", paid = [], open = ["X", "X"], closed = ["Y"], refunded = ["Y"] }
        close = { merchant_order_no_field = "n", order_number_field = "n", min_age_s = 3601, extra = 1 }
        refund = { amounts = "some", refunds_max = 0, window_days = 366 }
        notification = { format = "form", fields_in = "data", sign = "off", paid = ["Y"] }
        confirm_by_query = "sometimes"
        expiry_grace_s = -1
        base_url = "http://upaas.example"
        timeout_ms = 99
        secret = "x"
    "#;

#[test]
fn every_fault_of_a_section_is_found_at_once() {
    insta::assert_snapshot!(faults(&[("shop", FAULTY)]), @r"
    account shop: base_url: must be https://HOST[:PORT] without a path (http for a loopback address)
    account shop: close.extra: unknown key; allowed are merchant_order_no_field, min_age_s, order_number_field, paid_order, path
    account shop: close.min_age_s: must be a whole number from 0 to 3600
    account shop: close.order_number_field: is the field of the merchant's number too
    account shop: codes: 4 stands in the list twice for one operation
    account shop: codes[0].means: is not one of this operation
    account shop: codes[1].code: must be 1 to 64 visible ASCII characters
    account shop: codes[1].means: must be DONE or FINAL or RETRY or THROTTLED or UNKNOWN or OPS or NOT_EXIST
    account shop: codes[1].operation: must be create or query or close or refund or refund_query
    account shop: codes[2].operation: is missing; must be create or query or close or refund or refund_query
    account shop: codes[3].means: is not one of this operation
    account shop: confirm_by_query: must be always, never or above
    account shop: expiry_grace_s: must be a whole number from 0 to 604800
    account shop: key_file: is missing; give key_file or key_env
    account shop: key_joining: must be named or appended
    account shop: merchant: must be 1 to 64 visible ASCII characters
    account shop: notification.fields_in: must be body: a form has no data
    account shop: notification.sign: must be scalars or scalars_without_prepay
    account shop: notification.status_field: is missing; must be the name of a field, 1 to 32 of A-Z a-z 0-9 _, and not sign
    account shop: notify_url_field: must be the name of a field, 1 to 32 of A-Z a-z 0-9 _, and not sign
    account shop: pay_resource: must be a whole number from 0 to 999
    account shop: query.closed: Y stands in another list too
    account shop: query.open[1]: stands in the list twice
    account shop: query.paid: must hold at least one word
    account shop: query.path: must be a path of at most 128 characters that begins with /
    account shop: query.status_field: must be the name of a field, 1 to 32 of A-Z a-z 0-9 _, and not sign
    account shop: refund.amounts: must be whole or parts
    account shop: refund.refunds_max: must be a whole number from 1 to 100
    account shop: refund.window_days: must be a whole number from 1 to 365
    account shop: repeated_create: must be unknown or same_order
    account shop: request_fields: amount is a field that the engine sets or reads
    account shop: request_fields[2].value: must be 1 to 256 visible ASCII characters
    account shop: request_format: must be json or form
    account shop: request_sign: must be off or scalars
    account shop: secret: unknown key; allowed are base_url, close, codes, confirm_above_amount_minor, confirm_by_query, device_sn, expiry_grace_s, key_env, key_file, key_joining, merchant, notification, notify_url_field, pay_resource, previous_keys, query, refund, refund_query, repeated_create, request_fields, request_format, request_sign, response_sign, staff_num, store_num, sub_app_name, sub_appid, timeout_ms, wx_appid
    account shop: staff_num: must be 1 to 8 characters without &
    account shop: store_num: must be 1 to 7 letters and digits
    account shop: timeout_ms: must be a whole number from 100 to 15000
    account shop: wx_appid: must be 1 to 36 characters without &
    ");
}

#[test]
fn an_empty_section_lacks_the_store_alone() {
    insta::assert_snapshot!(faults(&[("bare", "")]), @"account bare: store_num: is missing; must be 1 to 7 letters and digits");
}

#[test]
fn what_belongs_together_is_demanded() {
    let with = |more: &str| faults(&[("shop", &format!("{BARE}\n{more}"))]);
    insta::assert_snapshot!(with("close = {}"), @"account shop: close.paid_order: needs query, or must be refused");
    insta::assert_snapshot!(with("refund_query = { status_field = \"s\", done = [\"Y\"] }"), @"account shop: refund_query: stands without refund");
    insta::assert_snapshot!(with("refund = {}"), @"account shop: refund.accepted: needs refund_query or refund.status_field, or must be done");
    insta::assert_snapshot!(with("notification = {}"), @"account shop: key_file: is missing; give key_file or key_env");
    insta::assert_snapshot!(with("request_sign = \"scalars\""), @"account shop: key_file: is missing; give key_file or key_env");
    insta::assert_snapshot!(with("previous_keys = [{ key_env = \"KEY\" }]"), @"account shop: key_file: is missing; give key_file or key_env");
    insta::assert_snapshot!(with("confirm_by_query = \"always\""), @"account shop: confirm_by_query: needs query");
    assert_eq!(with("confirm_by_query = \"never\""), "");
    assert_eq!(with("key_env = \"KEY\""), "", "a key may stand ready");
}

#[test]
fn two_accounts_are_two_stores() {
    insta::assert_snapshot!(faults(&[("a", BARE), ("b", BARE)]), @"account b: is the same store as account a");
    assert_eq!(faults(&[("a", BARE), ("b", &BARE.replace("1000001", "1000002"))]), "");
    let many: Vec<(String, String)> = (0..9)
        .map(|n| {
            let field = format!("notification.store_num_field = \"s{n}\"");
            (format!("a{n}"), format!("store_num = \"{n}\"\nkey_env = \"KEY\"\n{field}"))
        })
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(faults(&many[..8]), "");
    insta::assert_snapshot!(faults(&many), @"account a8: notification: is of the 9th form; all accounts have at most 8");
}

#[test]
fn the_example_is_a_section() {
    let example = PROVIDERS.iter().find(|known| known.name == "upaas").unwrap().example;
    assert_eq!(faults(&[("example", example)]), "");
    let is_key = |rest: &&str| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let every_key: Vec<&str> =
        example.lines().map(|line| line.strip_prefix("# ").filter(is_key).unwrap_or(line)).collect();
    let every_key = every_key.join("\n").replace("UPAAS_KEY", "KEY").replace("secrets/upaas/old_key", "old");
    assert_eq!(faults(&[("example", &every_key.replace("\"always\"", "\"above\""))]), "");
    assert!(every_key.lines().filter(|line| !line.starts_with('#')).count() > 60, "{every_key}");
    let full = kit().0.capabilities(&created()).unwrap();
    assert_ne!(full.query, QueryKind::None);
    assert!(FULL.contains("notification"));
}
