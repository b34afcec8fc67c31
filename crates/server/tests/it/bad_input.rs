//! Bad input at gRPC: each has its defined answer, all faults of a request come at once, nothing is stored.

use paymux_proto::client::Refusal;
use paymux_proto::v1;
use paymux_proto::v1::ErrorReason;
use paymux_proto::v1::create_order_request::{Expiry, Options};
use tonic::Code;

use crate::rig::{World, order, seconds};

type Change = fn(&mut v1::CreateOrderRequest);

/// What is wrong with a request, and the field that is named for it.
const FAULTS: &[(&str, &str, Change)] = &[
    ("amount missing", "amount", |o| o.amount = None),
    ("amount 0", "amount.minor", |o| amount(o).minor = 0),
    ("amount negative", "amount.minor", |o| amount(o).minor = -1),
    ("amount least", "amount.minor", |o| amount(o).minor = i64::MIN),
    ("amount over the maximum", "amount.minor", |o| amount(o).minor = 10_000_000_001),
    ("unknown currency", "amount.currency", |o| amount(o).currency = "USD".to_owned()),
    ("currency in small letters", "amount.currency", |o| amount(o).currency = "cny".to_owned()),
    ("no merchant", "merchant_id", |o| o.merchant_id = String::new()),
    ("merchant with a slash", "merchant_id", |o| o.merchant_id = "m/1".to_owned()),
    ("no number", "merchant_order_no", |o| o.merchant_order_no = String::new()),
    ("number with a space", "merchant_order_no", |o| o.merchant_order_no = "A 123456".to_owned()),
    ("number in Chinese", "merchant_order_no", |o| o.merchant_order_no = "订单12345".to_owned()),
    ("number too long", "merchant_order_no", |o| o.merchant_order_no = "A".repeat(33)),
    ("number too long with its prefix", "merchant_order_no", |o| o.merchant_order_no = "A".repeat(31)),
    ("number too short for the provider", "merchant_order_no", |o| o.merchant_order_no = "A".to_owned()),
    ("no request id", "request_id", |o| o.request_id = String::new()),
    ("request id too long", "request_id", |o| o.request_id = "r".repeat(65)),
    ("request id with a line break", "request_id", |o| o.request_id = "a\nb".to_owned()),
    ("no description", "description", |o| o.description = String::new()),
    ("description too long", "description", |o| o.description = "茶".repeat(128)),
    ("description with a control character", "description", |o| o.description = "a\u{7}b".to_owned()),
    ("attach too long", "attach", |o| o.attach = "a".repeat(128)),
    ("payer missing", "payer.open_id", |o| o.payer = None),
    ("open_id empty", "payer.open_id", |o| payer(o).open_id = String::new()),
    ("open_id too long", "payer.open_id", |o| payer(o).open_id = "o".repeat(129)),
    ("open_id in Chinese", "payer.open_id", |o| payer(o).open_id = "微信".to_owned()),
    ("a foreign app", "payer.app_id", |o| payer(o).app_id = "wx0000000000000000".to_owned()),
    ("address that is none", "payer.client_ip", |o| payer(o).client_ip = "300.1.1.1".to_owned()),
    ("expiry in the past", "expire_time", |o| o.expiry = Some(at(1_000_000_000))),
    ("expiry far ahead", "expire_time", |o| o.expiry = Some(at(9_000_000_000))),
    ("expiry at no time", "expire_time", |o| {
        o.expiry = Some(Expiry::ExpireTime(prost_types::Timestamp { seconds: 0, nanos: -1 }))
    }),
    ("life of a second", "expire_after", |o| o.expiry = Some(Expiry::ExpireAfter(seconds(1)))),
    ("life of eight days", "expire_after", |o| o.expiry = Some(Expiry::ExpireAfter(seconds(8 * 86_400)))),
    ("negative life", "expire_after", |o| o.expiry = Some(Expiry::ExpireAfter(seconds(-600)))),
    ("return to a script", "return_url", |o| o.return_url = "javascript:alert(1)".to_owned()),
    ("return address too long", "return_url", |o| o.return_url = format!("https://a/{}", "a".repeat(255))),
    ("label without a name", "metadata", |o| drop(o.metadata.insert(String::new(), "x".to_owned()))),
    ("label too long", "metadata", |o| drop(o.metadata.insert("x".to_owned(), "x".repeat(257)))),
    ("too many labels", "metadata", |o| {
        o.metadata = (0..33).map(|n| (n.to_string(), String::new())).collect()
    }),
    ("wait too long", "wait", |o| o.wait = Some(seconds(31))),
    ("negative wait", "wait", |o| o.wait = Some(seconds(-1))),
    ("options of another provider", "payjs", |o| {
        o.options = Some(Options::Payjs(v1::PayjsOptions::default()))
    }),
    ("a mark too long", "wechatpay.goods_tag", |o| {
        o.options = Some(Options::Wechatpay(v1::WechatpayOptions {
            goods_tag: Some("x".repeat(33)),
            ..v1::WechatpayOptions::default()
        }))
    }),
    ("a method that is no word", "method", |o| o.method = "JSAPI!".to_owned()),
];

fn amount(order: &mut v1::CreateOrderRequest) -> &mut v1::Amount {
    order.amount.get_or_insert_default()
}

fn payer(order: &mut v1::CreateOrderRequest) -> &mut v1::Payer {
    order.payer.get_or_insert_default()
}

fn at(seconds: i64) -> Expiry {
    Expiry::ExpireTime(prost_types::Timestamp { seconds, nanos: 0 })
}

/// A create, for the options and the names that have no fault of their own.
const OTHERS: &[(&str, Code, ErrorReason, Change)] = &[
    ("unknown merchant", Code::NotFound, ErrorReason::MerchantUnknown, |o| {
        o.merchant_id = "nobody".to_owned()
    }),
    ("no account there", Code::FailedPrecondition, ErrorReason::RouteMissing, |o| {
        o.provider = Some("payjs".to_owned())
    }),
    ("method not offered", Code::FailedPrecondition, ErrorReason::OperationNotOffered, |o| {
        o.method = "scannedpos".to_owned()
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_create_has_its_defined_answer_and_nothing_is_stored() {
    let world = World::start(&[]);
    let client = world.client().await;
    let create = async |change: Change| {
        let mut request = order("m01", "BAD-000001", 100);
        change(&mut request);
        let status = client.orders().create_order(request).await.expect_err("it must be refused");
        Refusal::of(&status)
    };
    for (what, field, change) in FAULTS {
        let refusal = create(*change).await;
        assert_eq!(
            (refusal.code, refusal.reason),
            (Code::InvalidArgument, ErrorReason::FieldInvalid),
            "{what}"
        );
        let fields: Vec<_> = refusal.violations.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, [*field], "{what}: {refusal}");
        assert!(
            refusal.violations.iter().all(|(_, reason)| reason.starts_with("must")
                || reason.contains("is ")
                || reason.contains("goes to")),
            "{what}: {refusal}"
        );
    }
    for (what, code, reason, change) in OTHERS {
        let refusal = create(*change).await;
        assert_eq!((refusal.code, refusal.reason), (*code, *reason), "{what}: {refusal}");
    }
    let all = v1::CreateOrderRequest {
        expiry: Some(at(0)),
        wait: Some(seconds(99)),
        ..v1::CreateOrderRequest::default()
    };
    let refusal = Refusal::of(&client.orders().create_order(all).await.unwrap_err());
    let fields: Vec<_> = refusal.violations.iter().map(|(field, _)| field.as_str()).collect();
    for field in
        ["merchant_id", "merchant_order_no", "request_id", "amount", "description", "expire_time", "wait"]
    {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
    // So many faults that their details would not fit into the headers that clients take.
    let mut request = order("m01", "BAD-000001", 100);
    let goods = v1::WechatpayGoods { merchant_goods_id: "tea".to_owned(), ..v1::WechatpayGoods::default() };
    request.options = Some(Options::Wechatpay(v1::WechatpayOptions {
        detail: Some(v1::WechatpayDetail { goods: vec![goods; 100], ..v1::WechatpayDetail::default() }),
        ..v1::WechatpayOptions::default()
    }));
    let refusal = Refusal::of(&client.orders().create_order(request).await.unwrap_err());
    assert_eq!(refusal.reason, ErrorReason::FieldInvalid, "{refusal}");
    assert!(refusal.message.contains("more") && refusal.violations.len() >= 20, "{refusal}");
    // The provider's own faults come with a method and a provider that are no words.
    let no_words: [Change; 2] =
        [|o| o.method = "JSAPI!".to_owned(), |o| o.provider = Some("WeChat Pay".to_owned())];
    for change in no_words {
        let mut request = v1::CreateOrderRequest { payer: None, ..order("m01", "BAD-000001", 100) };
        change(&mut request);
        let refusal = Refusal::of(&client.orders().create_order(request).await.unwrap_err());
        let fields: Vec<_> = refusal.violations.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!((fields.len(), fields.last()), (2, Some(&"payer.open_id")), "{refusal}");
    }
    let list = v1::ListOrdersRequest { merchant_id: "m01".to_owned(), ..v1::ListOrdersRequest::default() };
    assert!(client.orders().list_orders(list).await.unwrap().into_inner().orders.is_empty());
    assert!(world.truth().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_over_the_limit_are_refused_by_their_length() {
    let world = World::start(&[]);
    let client = world.client().await;
    for bytes in [257 * 1024, 5 * 1024 * 1024] {
        let request =
            v1::CreateOrderRequest { description: "x".repeat(bytes), ..order("m01", "BIG-000001", 100) };
        let status = client.orders().create_order(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
        assert!(status.message().contains("262144"), "{status}");
        let bulk = v1::SubmitOrdersRequest { order: Some(request) };
        let mut answers =
            client.orders().submit_orders(tokio_stream::iter([bulk])).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap_err().code(), Code::OutOfRange);
    }
    // The connection lives on.
    client.create(order("m01", "BIG-000002", 100)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_reads_have_their_defined_answers() {
    let world = World::start(&[]);
    let client = world.client().await;
    let get = v1::GetOrderRequest {
        merchant_id: "m01".to_owned(),
        merchant_order_no: "NONE-1".to_owned(),
        ..v1::GetOrderRequest::default()
    };
    let refusal = async |request: v1::GetOrderRequest| {
        Refusal::of(&client.orders().get_order(request).await.unwrap_err())
    };
    assert_eq!(refusal(get.clone()).await.reason, ErrorReason::OrderNotFound);
    let unknown = v1::GetOrderRequest { merchant_id: "nobody".to_owned(), ..get.clone() };
    assert_eq!(refusal(unknown).await.reason, ErrorReason::MerchantUnknown);
    let faulty = v1::GetOrderRequest { merchant_order_no: "a b".to_owned(), wait: Some(seconds(31)), ..get };
    assert_eq!(refusal(faulty).await.violations.len(), 2);
    for page_size in [-1, 1001] {
        let list = v1::ListOrdersRequest {
            merchant_id: "m01".to_owned(),
            page_size,
            ..v1::ListOrdersRequest::default()
        };
        let refusal = Refusal::of(&client.orders().list_orders(list).await.unwrap_err());
        assert_eq!(refusal.reason, ErrorReason::FieldInvalid, "{page_size}");
    }
}
