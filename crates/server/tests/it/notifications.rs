//! Garbage at the notifications' door: refused, counted, never stored as truth, and memory stays bounded.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use paymux_proto::v1;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;

use crate::rig::{World, http, is_full};

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
