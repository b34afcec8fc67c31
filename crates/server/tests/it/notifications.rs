//! Garbage at the notifications' door: refused, counted, never stored as truth, and memory stays bounded.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use paymux_proto::v1;
use paymux_simulators::payjs::{ZeroValues, signature};
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;

use crate::rig::{PATIENCE, World, http, is_full, order, until};

/// Memory that so many notifications may add, in KiB: buffers of connections and the allocator's slack.
const GROWTH_KIB_MAX: u64 = 96 * 1024;

/// Sends raw bytes and reads what comes back until the server hangs up or is silent.
fn raw(world: &World, bytes: &[u8]) -> String {
    let address = world.notify.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out");
    // The server may hang up before it has read everything.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_methods_and_sizes_that_are_none_have_their_defined_answers() {
    let world = World::start(&[]);
    let status = async |path: &str, body: Vec<u8>| {
        let url = format!("{}{path}", world.notify);
        http().post(url).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/notify/wechatpay/nobody", Vec::new()).await, 400);
    assert_eq!(status("/notify/nobody/m01", Vec::new()).await, 404);
    assert_eq!(status("/notify/wechatpay/m%2001", Vec::new()).await, 400);
    assert_eq!(status("/", Vec::new()).await, 404);
    assert_eq!(status("/notify/wechatpay/m01", vec![b'x'; 65 * 1024]).await, 400, "in WeChat Pay's terms");
    let get = http().get(format!("{}/notify/wechatpay/m01", world.notify)).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    let empty = status("/notify/wechatpay/m01", Vec::new()).await;
    assert!((400..500).contains(&empty), "{empty}");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_that_is_no_http_does_no_harm() {
    let world = World::start(&[]);
    let mut rng = ChaCha12Rng::seed_from_u64(7);
    let mut noise = vec![0; 4096];
    rng.fill_bytes(&mut noise);
    let cut = b"POST /notify/wechatpay/m01 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort".to_vec();
    let smuggled = b"POST /notify/wechatpay/m01 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec();
    let headers =
        [b"POST /notify/wechatpay/m01 HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(5000), b"\r\n".to_vec()]
            .concat();
    for bytes in [noise, cut, smuggled, headers, b"\0".repeat(100_000)] {
        let answer = raw(&world, &bytes);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    assert_eq!(http().get(&world.notify).send().await.unwrap().status().as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_notifications_are_refused_and_nothing_grows() {
    let world = World::start(&[]);
    let count = if is_full() { 100_000 } else { 5_000 };
    let client = http();
    let mut rng = ChaCha12Rng::seed_from_u64(11);
    let before = world.process.memory_kib();
    for n in 0..count {
        let mut body = vec![0; rng.random_range(0..2048)];
        rng.fill_bytes(&mut body);
        if n % 3 == 0 {
            // The right shape, sealed by nobody.
            body = format!(
                r#"{{"id":"EV-{n}","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":{{"algorithm":"AEAD_AES_256_GCM","ciphertext":"{:x}","associated_data":"transaction","nonce":"{n:012}"}}}}"#,
                rng.next_u64()
            )
            .into_bytes();
        }
        let mut request = client.post(format!("{}/notify/wechatpay/m01", world.notify)).body(body);
        if n % 2 == 0 {
            let signature = if n % 8 == 0 {
                "WECHATPAY/SIGNTEST/abc".to_owned()
            } else {
                format!("{:032x}", rng.random::<u128>())
            };
            request = request
                .header("Wechatpay-Timestamp", rng.random_range(0..4_000_000_000_u64).to_string())
                .header("Wechatpay-Nonce", format!("{:x}", rng.next_u64()))
                .header("Wechatpay-Serial", "PUB_KEY_ID_0000")
                .header("Wechatpay-Signature", signature);
        }
        let status = request.send().await.unwrap().status().as_u16();
        assert!((400..600).contains(&status), "notification {n} was answered {status}");
    }
    let after = world.process.memory_kib();
    println!("verified: {count} random notifications: {before} KiB before, {after} KiB after");
    assert!(after < before + GROWTH_KIB_MAX, "{before} KiB grew to {after} KiB");
    let orders = world.client().await;
    let list = v1::ListOrdersRequest { merchant_id: "m01".to_owned(), ..v1::ListOrdersRequest::default() };
    assert!(orders.orders().list_orders(list).await.unwrap().into_inner().orders.is_empty());
    let parked = orders.operator().list_parked(v1::ListParkedRequest::default()).await.unwrap().into_inner();
    assert!(parked.orders.is_empty());
}

/// A notification as PayJS would send it for the account: of 1200 fen under that number, sealed by the account's own key.
fn sealed(mchid: &str, named: &str, out_trade_no: &str) -> String {
    let fields = [
        ("return_code", "1"),
        ("total_fee", "1200"),
        ("out_trade_no", out_trade_no),
        ("payjs_order_id", "2026051003054900456615858"),
        ("transaction_id", "4200000000202605100000000001"),
        ("time_end", "2026-05-10 12:00:00"),
        ("openid", "oUpF8uMuAJO"),
        ("mchid", named),
    ];
    let sign = signature(&fields, ZeroValues::Kept, &format!("demo-key-of-{mchid}"));
    let pairs =
        fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+").replace(':', "%3A")));
    format!("{}&sign={sign}", pairs.collect::<Vec<_>>().join("&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proven_notification_for_another_merchant_is_answered_and_parked_and_no_order_hears_of_it() {
    let world = World::of(6, &[]);
    let (tea, other) = (&world.merchants[4], &world.merchants[5]);
    assert_eq!(tea.mchid, other.mchid, "they share an account");
    let client = world.client().await;
    let number = "FOREIGN-1";
    for merchant in ["m05", "m06"] {
        client.create(order(merchant, number, 1200)).await.expect("an order that is accepted");
    }
    let push = async |body: String| {
        let url = format!("{}/notify/payjs/m05", world.notify);
        let form = "application/x-www-form-urlencoded";
        let answer = http().post(url).header("content-type", form).body(body).send().await.ok()?;
        Some(answer.status().as_u16())
    };
    let of_other = sealed(&tea.mchid, &other.mchid, &format!("{}{number}", other.prefix));
    let of_nobody = sealed(&tea.mchid, "1699999999", &format!("{}{number}", tea.prefix));
    for body in [&of_other, &of_nobody, &of_nobody] {
        assert_eq!(push(body.clone()).await, Some(200), "as PayJS demands");
    }
    let forged = of_nobody.replace("total_fee=1200", "total_fee=1201");
    assert_eq!(push(forged).await, None, "nobody without the key: the connection is cut");

    let parked = async || {
        let list = v1::ListParkedRequest::default();
        client.operator().list_parked(list).await.unwrap().into_inner().orders
    };
    let begun = tokio::time::Instant::now();
    while parked().await.len() < 2 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", parked().await);
        tokio::task::yield_now().await;
    }
    for set_apart in parked().await {
        assert_eq!(set_apart.merchant_id, "m05");
        assert!(set_apart.merchant_order_no.starts_with("foreign-"), "{set_apart:?}");
        let reasons: Vec<v1::AttentionReason> =
            set_apart.attention.iter().map(v1::Attention::reason).collect();
        assert_eq!(reasons, [v1::AttentionReason::WrongMerchant]);
    }
    for merchant in ["m05", "m06"] {
        let order = until(&client, merchant, number, |order| order.launch.is_some()).await;
        assert_eq!((order.state(), order.attention.len()), (v1::OrderState::Pending, 0), "{order:?}");
    }
}
