//! The samples of the page (open.unionpay.com, interface 3391), and the worked examples of `providers.md` section 3.4,
//! which were computed by another implementation (Python's hashlib). No official signature can be verified: the
//! samples' key is not known.

use paymux_domain::launch::{LaunchParams, WechatJsapi};
use paymux_domain::outcome::{Class, Operation, Word};
use serde_json::{Value, json};

use super::super::sign::{Joining, Proof, Rule, Signing, text};
use super::super::wire::{Answer, Fields};
use super::{KEY, NUMBER, ORDER_NUMBER, answer, bare, call, created, kit, of_method, sign_as};
use crate::key_ring::KeyRing;
use secrecy::SecretString;

fn signing(key: &str, joining: Joining) -> Signing {
    let keys = Some(KeyRing::new(SecretString::from(key), Vec::new()));
    Signing { keys, joining, request: None, response: None }
}

/// A signature as it is made and as it is verified: by our rule, and by the tests' own.
#[track_caller]
fn check(fields: &Value, signed_text: &str, signature: &str) {
    let object = fields.as_object().unwrap();
    assert_eq!(sign_as(object, KEY, false, false), signature);
    let signing = signing(KEY, Joining::Named);
    let pairs = object.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    assert_eq!(text(pairs, Rule::Scalars), signed_text);
    assert_eq!(signing.made(signed_text).as_deref(), Some(signature));
    for spelling in [signature.to_owned(), signature.to_uppercase()] {
        let received = super::with(fields, json!({ "sign": spelling }));
        let received = Fields::from_json(received.to_string().as_bytes()).unwrap();
        assert_eq!(signing.proof(Rule::Scalars, &received, &[]), Proof::Signed);
        let other = self::signing("another", Joining::Named);
        assert_eq!(other.proof(Rule::Scalars, &received, &[]), Proof::Wrong);
    }
}

#[test]
fn the_worked_request() {
    let fields = json!({
        "amount": "0.01", "merchant_order_no": NUMBER, "mode_code": "weixin", "open_id": "oTestOpenId0001",
        "store_num": "1000001", "wx_appid": "wx7b54f0a5769316b9",
    });
    let text = "amount=0.01&merchant_order_no=1596004809&mode_code=weixin&open_id=oTestOpenId0001&\
                store_num=1000001&wx_appid=wx7b54f0a5769316b9";
    check(&fields, text, "23dc0c4744627a49d13fcdb15d46ffa0");
    let sent = kit().sent(&call(Operation::Create, created(), vec![]));
    assert_eq!(
        Value::Object(sent),
        super::with(&fields, json!({"sign": "23dc0c4744627a49d13fcdb15d46ffa0"}))
    );
}

#[test]
fn the_worked_answer_is_over_its_flat_fields_only() {
    let fields = json!({ "amount": "0.01", "merchant_order_no": NUMBER, "order_number": ORDER_NUMBER });
    let text = "amount=0.01&merchant_order_no=1596004809&order_number=32007292020124037464368222208";
    let signature = "d16e8038aeefac17cfc6bb37307d0734";
    check(&fields, text, signature);
    let data = super::with(&super::weixin_data(), json!({ "sign": signature }));
    let report = kit().parse(&call(Operation::Create, created(), vec![]), &super::plain("000000", &data));
    assert!(matches!(report.words.as_slice(), [Word::Launched(_)]), "{report:?}");
}

#[test]
fn the_prepay_fields_may_stand_outside_and_the_key_may_be_appended() {
    let data =
        json!({ "amount": "1.00", "pre_pay_no": "2021", "pre_pay_url": "https://a.example/", "x": "" });
    for (rule, without) in [(Rule::Scalars, false), (Rule::ScalarsWithoutPrepay, true)] {
        for (joining, is_appended) in [(Joining::Named, false), (Joining::Appended, true)] {
            let signature = sign_as(data.as_object().unwrap(), KEY, without, is_appended);
            let received = super::with(&data, json!({ "sign": signature }));
            let received = Fields::from_json(received.to_string().as_bytes()).unwrap();
            for other in [Rule::Scalars, Rule::ScalarsWithoutPrepay] {
                let proof = signing(KEY, joining).proof(other, &received, &[]);
                assert_eq!(proof == Proof::Signed, other == rule, "{rule:?} {joining:?} {other:?}");
            }
        }
    }
}

/// The page's three samples, each as it stands there.
#[test]
fn the_samples_of_the_page_give_launch_parameters() {
    let samples = [
        (
            "weixin_jsapi", NUMBER, 1,
            r#"{ "code": "000000", "message": "请求成功", "data": { "order_number": "32007292020124037464368222208",
            "merchant_order_no": "1596004809", "amount": "0.01", "pre_pay_info": { "appId": "wx7b54f0a5769316b9",
            "nonceStr": "tl12xxmvbb9tsz0xcfo5lvhcvzqq8271",
            "package": "prepay_id=wx261200315112069714f072221832257600", "signType": "MD5",
            "timeStamp": "1566792029", "paySign": "46C8DFAA0F9FD304B3AC2FAFEC2A6E09" },
            "sign": "302a8ea7f0d97f1c6627714f7b307e9e" } }"#,
            LaunchParams::WechatJsapi(WechatJsapi {
                app_id: "wx7b54f0a5769316b9".to_owned(),
                time_stamp: "1566792029".to_owned(),
                nonce_str: "tl12xxmvbb9tsz0xcfo5lvhcvzqq8271".to_owned(),
                package: "prepay_id=wx261200315112069714f072221832257600".to_owned(),
                sign_type: "MD5".to_owned(),
                pay_sign: "46C8DFAA0F9FD304B3AC2FAFEC2A6E09".to_owned(),
            }),
        ),
        (
            "alipay", "21621845860", 100,
            r#"{ "code": "000000", "message": "请求成功", "data": { "pre_pay_no": "2021052422001427831412991467",
            "order_number": "32105243111232422620329676800", "amount": "1.00", "merchant_order_no": "21621845860",
            "sign": "6c4e8e6f679bcd3cebbcf51b189a2718" } }"#,
            LaunchParams::AlipayTradeNo("2021052422001427831412991467".to_owned()),
        ),
        (
            "unionpay", "21621845860", 100,
            r#"{ "code": "000000", "message": "请求成功", "data": { "pre_pay_url":
            "https://qr.95516.com/UP02/qrcGtwWeb-web/front/confirmOrder?sessionId=eee16a6cfsd1d5212433993f55ert6a8179cc4bd",
            "order_number": "32105243111232422620329676800", "amount": "1.00", "merchant_order_no": "21621845860",
            "sign": "6c4e8e6f679bcd3cebbcf51b189a2718" } }"#,
            LaunchParams::RedirectUrl(
                "https://qr.95516.com/UP02/qrcGtwWeb-web/front/confirmOrder?sessionId=eee16a6cfsd1d5212433993f55ert6a8179cc4bd"
                    .to_owned(),
            ),
        ),
    ];
    for (method, number, fen, body, params) in samples {
        let mut order = of_method(method);
        order.out_trade_no = number.parse().unwrap();
        order.amount = paymux_domain::amount::Amount::new(fen, order.amount.currency()).unwrap();
        let report = bare().parse(&call(Operation::Create, order, vec![]), &answer(200, body));
        assert_eq!(report.class, Class::Done, "{method}: {}", report.message);
        let [Word::Launched(launch)] = report.words.as_slice() else { panic!("{method}: {report:?}") };
        assert!(launch.params == params, "{method}");
        let data = Answer::read(body.as_bytes()).unwrap().data.unwrap();
        assert_eq!(launch.provider_order_no.as_deref(), data.get("order_number"));
        assert_eq!(launch.expire_time.is_some(), method == "weixin_jsapi", "a prepay_id lives two hours");
    }
}
