//! The list of platform certificates, how they are exchanged, and hosts that come and go.

use paymux_simulators::HostsView;
use paymux_simulators::control::view::Operation;
use paymux_simulators::wechatpay::{CertificateStep, PlatformPublic};
use serde_json::{Value, json};

use crate::client::{Client, verify};
use crate::inbox::open;
use crate::rig::{MCHID, Rig, direct_order, start, start_with};

const CERTIFICATES: &str = "/v3/certificates";

/// Serial numbers and certificates as a merchant opens them.
async fn listed(rig: &Rig) -> Vec<(String, String)> {
    let answer = rig.client.get(CERTIFICATES).await.unwrap();
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let listed = body["data"].as_array().unwrap().iter().map(|listed| {
        let sealed = &listed["encrypt_certificate"];
        assert_eq!(
            (&sealed["algorithm"], &sealed["associated_data"]),
            (&json!("AEAD_AES_256_GCM"), &json!("certificate"))
        );
        (listed["serial_no"].as_str().unwrap().to_owned(), String::from_utf8(open(sealed)).unwrap())
    });
    listed.collect()
}

#[tokio::test]
async fn the_list_is_signed_and_sealed_and_counted() {
    let rig = start().await;
    let answer = rig.client.get(CERTIFICATES).await.unwrap();
    rig.client.assert_signed(&answer);
    let platform = rig.simulator.platform();
    assert_eq!(listed(&rig).await, [(platform.certificate_serial, platform.certificate_pem.clone())]);
    assert!(platform.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(rig.stats().await.calls[MCHID][&Operation::Certificates].calls, 2);
}

#[tokio::test]
async fn a_merchant_with_the_public_key_has_no_certificates() {
    let rig = start().await;
    let answer = rig.partner.get(CERTIFICATES).await.unwrap();
    assert_eq!(answer.code(), (404, "RESOURCE_NOT_EXISTS".to_owned()));
    rig.partner.assert_signed(&answer);
}

#[tokio::test]
async fn a_certificate_is_announced_signs_and_stays_alone() {
    let rig = start().await;
    let first = rig.simulator.platform().certificate_serial;
    let step = async |step: &str| -> PlatformPublic {
        let answer = rig.control("platform/certificate", &json!({ "step": step })).await;
        serde_json::from_slice(&answer.body).unwrap()
    };
    let serials = async || listed(&rig).await.into_iter().map(|(serial, _)| serial).collect::<Vec<_>>();
    assert_eq!(step("announce").await.certificate_serial, first, "the one before goes on signing");
    let both = serials().await;
    assert!(both.len() == 2 && both.contains(&first));
    let second = step("switch").await.certificate_serial;
    assert!(second != first && both.contains(&second), "the announced one signs");
    assert_eq!(serials().await.len(), 2);
    let answer = rig.client.get(CERTIFICATES).await.unwrap();
    assert_eq!(answer.headers["Wechatpay-Serial"], second.as_str());
    assert_eq!(step("retire").await.certificate_serial, second);
    assert_eq!(serials().await, std::slice::from_ref(&second));
    let third = rig.simulator.step_certificate(CertificateStep::Switch).await.unwrap();
    assert_eq!(
        serials().await,
        [second, third.certificate_serial.clone()],
        "a new one where none was announced"
    );

    let answer = rig.client.get(CERTIFICATES).await.unwrap();
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    let mut text = format!("{}\n{}\n", header("Wechatpay-Timestamp"), header("Wechatpay-Nonce")).into_bytes();
    text.extend_from_slice(&answer.body);
    text.push(b'\n');
    let signature =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, header("Wechatpay-Signature"));
    assert!(verify(&third.certificate_public_key_pem, &text, &signature.unwrap()));
    assert_eq!(rig.control("platform/certificate", &json!({ "step": "forget" })).await.status, 400);
}

#[tokio::test]
async fn the_main_host_goes_and_comes_back_while_the_stand_by_host_serves() {
    let rig = start_with(|config| config.stand_by_listen = Some(config.listen)).await;
    let stand_by = rig.simulator.stand_by_url().unwrap();
    let there = Client::new(stand_by.clone(), rig.simulator.clock(), rig.simulator.platform(), MCHID);
    rig.create(&direct_order("ORDER0001")).await;
    let query = "/v3/pay/transactions/out-trade-no/ORDER0001?mchid=1900000109";

    let url = format!("{stand_by}/control/hosts");
    let set = async |is_main_away: bool| -> HostsView {
        let body = json!({ "is_main_away": is_main_away }).to_string();
        let answer = rig.client.http.post(&url).body(body).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    };
    let view = set(true).await;
    assert_eq!((view.is_main_away, view.stand_by_requests), (true, 0));
    assert!(rig.client.get(query).await.is_err(), "its connections are refused");
    let answer = there.get(query).await.unwrap();
    assert_eq!((answer.status, &answer.json()["trade_state"]), (200, &Value::from("NOTPAY")));
    assert_eq!(rig.simulator.hosts().stand_by_requests, 1);
    assert!(!set(false).await.is_main_away);
    assert_eq!(rig.client.get(query).await.unwrap().status, 200);
}

#[tokio::test]
async fn without_a_stand_by_host_the_main_one_stays() {
    let rig = start().await;
    assert_eq!(rig.simulator.stand_by_url(), None);
    assert_eq!(rig.control("hosts", &json!({ "is_main_away": true })).await.status, 409);
    assert!(rig.simulator.set_main_away(true).await.is_err());
}
