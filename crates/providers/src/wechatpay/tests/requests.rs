//! Requests: what is sent, to the byte.

use paymux_domain::http::HttpRequest;
use paymux_domain::outcome::Operation;
use paymux_domain::ports::{BuildError, SignError};

use super::{TestSigner, attempt, call, call_after, created, kit, now, paid};

/// A request as text, without its signature.
fn shown(request: &HttpRequest) -> String {
    let mut text = format!("{} {} within {:?}\n", request.method.as_str(), request.url, request.timeout);
    for (name, value) in &request.headers {
        let (value, _) = value.split_once("signature=").unwrap_or((value, ""));
        text.push_str(&format!("{name}: {value}\n"));
    }
    text + std::str::from_utf8(&request.body).unwrap()
}

#[test]
fn a_direct_jsapi_create() {
    let request = kit().build(&call(Operation::Create, created("jsapi")));
    insta::assert_snapshot!(shown(&request), @r#"
    POST https://api.mch.weixin.qq.com/v3/pay/transactions/jsapi within 5s
    accept: application/json
    authorization: WECHATPAY2-SHA256-RSA2048 mchid="1900000109",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1704038400",serial_no="5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
    content-type: application/json
    wechatpay-serial: PUB_KEY_ID_0119000001092024010100000000000001
    {"appid":"wx8888888888888888","mchid":"1900000109","description":"门店付款","out_trade_no":"WX20240101000001","time_expire":"2024-01-01T00:30:00+08:00","notify_url":"https://pay.example.com/notify/wechatpay/m1","amount":{"total":1234,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"scene_info":{"payer_client_ip":"14.23.150.211"}}
    "#);
}

#[test]
fn a_partner_jsapi_create_with_every_option() {
    let mut order = created("partner_jsapi");
    order.attach = Some("order:42".to_owned());
    order.payer.app_id = Some("wxd678efh567hg6999".to_owned());
    order.options_json = serde_json::json!({
        "payer_scope": "sub_merchant",
        "goods_tag": "WXG",
        "support_fapiao": true,
        "profit_sharing": false,
        "device_id": "till-7",
        "store_info": {"id": "0001", "name": "shop", "area_code": "440305", "address": "street"},
        "detail": {
            "cost_price": 2000,
            "invoice_id": "i1",
            "goods_detail": [{"merchant_goods_id": "g1", "quantity": 2, "unit_price": 617}],
        },
    })
    .to_string();
    let request = kit().build(&call(Operation::Create, order));
    insta::assert_snapshot!(shown(&request), @r#"
    POST https://api.mch.weixin.qq.com/v3/pay/partner/transactions/jsapi within 5s
    accept: application/json
    authorization: WECHATPAY2-SHA256-RSA2048 mchid="1230000109",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1704038400",serial_no="5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
    content-type: application/json
    wechatpay-serial: PUB_KEY_ID_0119000001092024010100000000000001
    {"sp_appid":"wx8888888888888888","sp_mchid":"1230000109","sub_appid":"wxd678efh567hg6999","sub_mchid":"1900000109","description":"门店付款","out_trade_no":"WX20240101000001","time_expire":"2024-01-01T00:30:00+08:00","attach":"order:42","notify_url":"https://pay.example.com/notify/wechatpay/m1","goods_tag":"WXG","support_fapiao":true,"amount":{"total":1234,"currency":"CNY"},"payer":{"sub_openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"detail":{"cost_price":2000,"invoice_id":"i1","goods_detail":[{"merchant_goods_id":"g1","quantity":2,"unit_price":617}]},"scene_info":{"payer_client_ip":"14.23.150.211","device_id":"till-7","store_info":{"id":"0001","name":"shop","area_code":"440305","address":"street"}},"settle_info":{"profit_sharing":false}}
    "#);
}

#[test]
fn a_scannedpos_create() {
    let request = kit().build(&call(Operation::Create, created("scannedpos")));
    insta::assert_snapshot!(shown(&request), @r#"
    POST https://api.mch.weixin.qq.com/v3/pay/partner/transactions/scannedpos within 5s
    accept: application/json
    authorization: WECHATPAY2-SHA256-RSA2048 mchid="1230000109",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1704038400",serial_no="5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
    content-type: application/json
    wechatpay-serial: PUB_KEY_ID_0119000001092024010100000000000001
    {"sp_appid":"wx8888888888888888","sp_mchid":"1230000109","sub_mchid":"1900000109","description":"门店付款","out_trade_no":"WX20240101000001","time_expire":"2024-01-01T00:30:00+08:00","notify_url":"https://pay.example.com/notify/wechatpay/m1","amount":{"total":1234,"currency":"CNY"},"payer":{"sp_openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},"scene_info":{"payer_client_ip":"14.23.150.211","store_info":{"out_id":"0001"}}}
    "#);
}

#[test]
fn a_query_by_our_number_and_once_paid_by_theirs() {
    let kit = kit();
    let by_ours = kit.build(&call(Operation::Query, created("jsapi")));
    insta::assert_snapshot!(shown(&by_ours), @r#"
    GET https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/WX20240101000001?mchid=1900000109 within 5s
    accept: application/json
    authorization: WECHATPAY2-SHA256-RSA2048 mchid="1900000109",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1704038400",serial_no="5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
    wechatpay-serial: PUB_KEY_ID_0119000001092024010100000000000001
    "#);
    let facts = vec![attempt(1), paid("4200000000202401010000000001")];
    let by_theirs = kit.build(&call_after(Operation::Query, created("partner_jsapi"), facts));
    insta::assert_snapshot!(shown(&by_theirs).lines().next().unwrap(), @"GET https://api.mch.weixin.qq.com/v3/pay/partner/transactions/id/4200000000202401010000000001?sp_mchid=1230000109&sub_mchid=1900000109 within 5s");
}

#[test]
fn a_close_for_a_merchant_and_for_a_sub_merchant() {
    let kit = kit();
    let direct = kit.build(&call(Operation::Close, created("jsapi")));
    insta::assert_snapshot!(shown(&direct), @r#"
    POST https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/WX20240101000001/close within 5s
    accept: application/json
    authorization: WECHATPAY2-SHA256-RSA2048 mchid="1900000109",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1704038400",serial_no="5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
    content-type: application/json
    wechatpay-serial: PUB_KEY_ID_0119000001092024010100000000000001
    {"mchid":"1900000109"}
    "#);
    let partner = kit.build(&call(Operation::Close, created("scannedpos")));
    insta::assert_snapshot!(shown(&partner), @r#"
    POST https://api.mch.weixin.qq.com/v3/pay/partner/transactions/out-trade-no/WX20240101000001/close within 5s
    accept: application/json
    authorization: WECHATPAY2-SHA256-RSA2048 mchid="1230000109",nonce_str="593BEC0C930BF1AFEB40B4A08C8FB242",timestamp="1704038400",serial_no="5F1C72E2A8931B72A2E13AF8DEE92471EB397115",
    content-type: application/json
    wechatpay-serial: PUB_KEY_ID_0119000001092024010100000000000001
    {"sp_mchid":"1230000109","sub_mchid":"1900000109"}
    "#);
}

#[test]
fn a_repeat_has_the_same_body_whatever_the_time() {
    let kit = kit();
    let first = call(Operation::Create, created("scannedpos"));
    let mut repeat = first.clone();
    repeat.now = first.now + std::time::Duration::from_secs(90);
    repeat.nonce = [1, 2];
    let (first, repeat) = (kit.build(&first), kit.build(&repeat));
    assert_eq!(first.body, repeat.body);
    assert_ne!(first.headers, repeat.headers);
}

#[test]
fn what_cannot_be_built_says_why_and_nothing_leaves() {
    let kit = kit();
    let fails = |call, signer: &TestSigner| now(kit.provider.build(&call, signer)).unwrap_err();
    let unknown = super::Created { account: "gone".parse().unwrap(), ..created("jsapi") };
    assert_eq!(
        fails(call(Operation::Create, unknown), &kit.signer),
        BuildError::UnknownAccount("gone".parse().unwrap())
    );
    let error = fails(call(Operation::Refund, created("jsapi")), &kit.signer);
    assert!(matches!(error, BuildError::Field { field: "refund", .. }), "{error:?}");
    let busy = TestSigner::Fails(SignError::Unavailable);
    let create = call(Operation::Create, created("jsapi"));
    assert_eq!(fails(create, &busy), BuildError::Sign(SignError::Unavailable));
    let mut nobody = created("jsapi");
    nobody.payer.open_id = None;
    let error = fails(call(Operation::Create, nobody), &kit.signer);
    assert!(matches!(error, BuildError::Field { field: "payer.open_id", .. }), "{error:?}");
    let foreign = super::Created { method: "scannedpos".to_owned(), ..created("jsapi") };
    let error = fails(call(Operation::Create, foreign), &kit.signer);
    assert!(matches!(error, BuildError::Field { field: "method", .. }), "{error:?}");
}
