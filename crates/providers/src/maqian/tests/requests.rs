//! Requests of the server API, whole.

use paymux_domain::http::Method;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::BuildError;

use super::{ACCESS_KEY, Ask, Fields, asked_at, call, created, kit, paid, sealed};

/// URL and body of a call, its signature looked at and cut out.
fn sent(account: &str, ask: Ask) -> String {
    shown(&asked_at(account, ask))
}

fn shown(call: &paymux_domain::ports::Call) -> String {
    let request = kit().build(call);
    assert_eq!(request.method, Method::Post);
    assert!(
        request.headers.contains(&("content-type".to_owned(), "application/json; charset=utf-8".to_owned()))
    );
    let body: std::collections::BTreeMap<String, String> = serde_json::from_slice(&request.body).unwrap();
    let mut fields: Fields<'_> = body.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sign = fields.remove("sign").unwrap();
    assert_eq!(sign, sealed(&fields, ACCESS_KEY), "the current key signs");
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} {}", request.url, fields.join("&"))
}

#[test]
fn each_call_has_the_fields_of_its_clients() {
    insta::assert_snapshot!(sent("shop", Ask::Query), @"https://saas-front.hkrt.cn/api/v2/pay/order-query accessid=test_accessid&agent_no=FW0000000&merch_no=833651658120003&out_trade_no=MQ202401010001&pn=XN000003&req_id=00000000000000010000000000000002");
    insta::assert_snapshot!(sent("shop", Ask::Close), @"https://saas-front.hkrt.cn/api/v2/pay/close-order accessid=test_accessid&agent_no=FW0000000&merch_no=833651658120003&out_trade_no=MQ202401010001&pn=XN000003&req_id=00000000000000010000000000000002");
    insta::assert_snapshot!(sent("shop", Ask::Refund), @"https://saas-front.hkrt.cn/api/v2/pay/refund accessid=test_accessid&agent_no=FW0000000&merch_no=833651658120003&out_refund_no=0123456789abcdef0123456789abcdef&pn=XN000003&refund_amount=0.03&req_id=00000000000000010000000000000002&trade_no=ALI240101000000000000001");
    insta::assert_snapshot!(sent("hinted", Ask::RefundQuery), @"https://v1.example.com/api/v1/pay/polymeric/refundquery accessid=test_accessid&merch_no=833000000000001&out_refund_no=0123456789abcdef0123456789abcdef&req_id=00000000000000010000000000000002");
}

#[test]
fn a_payment_that_is_known_is_asked_about_by_its_own_number() {
    let query = call(Operation::Query, created(), vec![paid()]);
    insta::assert_snapshot!(shown(&query), @"https://saas-front.hkrt.cn/api/v2/pay/order-query accessid=test_accessid&merch_no=833651658120003&req_id=00000000000000010000000000000002&trade_no=ALI240101000000000000001");
}

#[test]
fn what_the_account_lacks_is_not_built() {
    let kit = kit();
    for ask in [Ask::Query, Ask::Close, Ask::Refund, Ask::RefundQuery] {
        let call = asked_at("bare", ask);
        let lacking = Err(BuildError::Lacking(call.operation));
        assert_eq!(kit.try_build(&call).map(|_| ()), lacking, "{ask:?} without the server API");
    }
    let refund_query = asked_at("shop", Ask::RefundQuery);
    assert_eq!(kit.try_build(&refund_query).map(|_| ()), Err(BuildError::Lacking(Operation::Query)));
    let gone = asked_at("gone", Ask::Query);
    assert!(matches!(kit.try_build(&gone), Err(BuildError::UnknownAccount(_))));
}
