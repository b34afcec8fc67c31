//! Proof of the caller: whoever does not sign rightly and freshly is refused, with a signed answer.

use serde_json::json;

use crate::client::{Answer, Client, Credentials};
use crate::rig::{DIRECT, MCHID, Rig, SP_MCHID, direct_order, start, start_with};

async fn create_as(rig: &Rig, change: impl FnOnce(&mut Credentials)) -> Answer {
    let mut client =
        Client::new(rig.simulator.base_url(), rig.simulator.clock(), rig.simulator.platform(), MCHID);
    change(&mut client.credentials);
    client.post(&format!("{DIRECT}/jsapi"), &direct_order("ORDER0001")).await.unwrap()
}

fn assert_sign_error(rig: &Rig, answer: &Answer) {
    assert_eq!(answer.code(), (401, "SIGN_ERROR".to_owned()), "{}", answer.json());
    rig.client.assert_signed(answer);
}

#[tokio::test]
async fn wrong_accounts_serials_and_times_are_refused() {
    let rig = start().await;
    assert_sign_error(&rig, &create_as(&rig, |c| c.mchid = "1999999999".to_owned()).await);
    assert_sign_error(&rig, &create_as(&rig, |c| c.serial = "00".to_owned()).await);
    assert_sign_error(&rig, &create_as(&rig, |c| c.skew_ms = -301_000).await);
    assert_sign_error(&rig, &create_as(&rig, |c| c.skew_ms = 301_000).await);
    assert_eq!(create_as(&rig, |c| c.skew_ms = -240_000).await.status, 200);
    // Signed rightly, but in another account's name than the body's.
    let other = create_as(&rig, |c| c.mchid = SP_MCHID.to_owned()).await;
    assert_eq!(other.code(), (403, "NO_AUTH".to_owned()));
}

#[tokio::test]
async fn a_signature_over_anything_else_is_refused() {
    let rig = start().await;
    let path = format!("{DIRECT}/jsapi");
    let timestamp_s = rig.simulator.clock().now_ms() / 1000;
    let body = direct_order("ORDER0001").to_string();
    let right = format!("POST\n{path}\n{timestamp_s}\nNONCE\n{body}\n");
    for (signed, is_right) in [
        (right.clone(), true),
        (right.replace("POST", "GET"), false),
        (right.replace("/jsapi", "/native"), false),
        (right.replace("NONCE", "OTHER"), false),
        (right.replace("1200", "1201"), false),
        (right.trim_end().to_owned(), false),
    ] {
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{MCHID}\",nonce_str=\"NONCE\",timestamp=\"{timestamp_s}\",\
             serial_no=\"{}\",signature=\"{}\"",
            crate::rig::SERIAL,
            crate::client::sign(signed.as_bytes())
        );
        let answer = rig.client.send_with("POST", &path, body.clone(), &authorization).await.unwrap();
        assert_eq!(answer.status, if is_right { 200 } else { 401 }, "{signed}");
    }
    for authorization in ["", "Basic eA==", "WECHATPAY2-SHA256-RSA2048 mchid=\"1900000109\""] {
        let answer = rig.client.send_with("POST", &path, body.clone(), authorization).await.unwrap();
        assert_sign_error(&rig, &answer);
    }
}

#[tokio::test]
async fn on_a_fast_clock_the_allowance_for_skew_is_scaled() {
    let rig = start_with(|config| config.clock_factor = 120.0).await;
    assert_eq!(create_as(&rig, |c| c.skew_ms = -120 * 200_000).await.status, 200);
    assert_eq!(create_as(&rig, |c| c.skew_ms = -120 * 301_000).await.status, 401);
}

#[tokio::test]
async fn the_path_is_verified_as_it_was_sent() {
    let rig = start().await;
    rig.create(&direct_order("ORDER*0001")).await;
    let query = format!("?mchid={MCHID}");
    for number in ["ORDER*0001", "ORDER%2A0001"] {
        let answer = rig.client.get(&format!("{DIRECT}/out-trade-no/{number}{query}")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.json());
        assert_eq!(answer.json()["out_trade_no"], "ORDER*0001");
    }
}

#[tokio::test]
async fn merchants_registered_at_run_time_are_known_at_once() {
    let rig = start().await;
    let client =
        Client::new(rig.simulator.base_url(), rig.simulator.clock(), rig.simulator.platform(), "1900000333");
    let mut body = direct_order("ORDER0001");
    body["mchid"] = json!("1900000333");
    let path = format!("{DIRECT}/jsapi");
    assert_eq!(client.post(&path, &body).await.unwrap().status, 401);
    rig.simulator.register(crate::rig::merchant("1900000333")).unwrap();
    assert_eq!(client.post(&path, &body).await.unwrap().status, 200);

    let document = json!({
        "mchid": "1900000444", "appids": [crate::rig::APPID], "serial": crate::rig::SERIAL,
        "public_key_pem": crate::client::MERCHANT_PUBLIC_PEM, "apiv3_key": crate::rig::APIV3_KEY,
        "verifier": "public_key",
    });
    assert_eq!(rig.control("merchants", &document).await.status, 204);
    let client =
        Client::new(rig.simulator.base_url(), rig.simulator.clock(), rig.simulator.platform(), "1900000444");
    body["mchid"] = json!("1900000444");
    assert_eq!(client.post(&path, &body).await.unwrap().status, 200);

    let mut faulty = document.clone();
    faulty["apiv3_key"] = json!("too short, and secret");
    let refused = rig.control("merchants", &faulty).await;
    assert_eq!(refused.status, 400);
    assert!(!String::from_utf8_lossy(&refused.body).contains("secret"));
}
