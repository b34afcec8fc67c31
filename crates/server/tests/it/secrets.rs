//! No secret and no personal datum gets into logs at `trace`, `config dump`, errors, events or the command line's
//! output, in whatever spelling; and the search would find one.

mod hunt;
mod scene;

use std::time::Duration;

use hunt::{Datum, Witness, finds};
use paymux_proto::client::Client;
use paymux_proto::v1;
use scene::{ATTACH, CLIENT_IP, Logged, OPEN_ID, PAYJS_MCHID, Scene, WECHAT_MCHID};
use serde_json::{Value, json};

use crate::rig::{http, seconds, until};

/// What strangers and wrong requests bring, which is nobody's business either.
const GARBAGE: &str = "garbageOfAStranger0001";
const WRONG_VALUE: &str = "wrongValueOfACaller0001";
const WRONG_KEY: &str = "wrongKeyOfSomebody0001";
const BROKEN_SECRET: &str = "brokenSecretInItsFile0001";

/// The command line as the caller uses it, everything at `trace`.
fn order(scene: &Scene, format: &str, args: &[&str]) -> Witness {
    let (address, key_file) = (scene.address(), scene.file("secrets/bearer"));
    let base = ["order", "--server", &address, "--key-file", &key_file, "--log", "trace", "--output", format];
    let mut seen = scene.run(&[&base[..], args].concat());
    // Its own arguments are no witness.
    seen.name = format!("order {} ({format})", args[0]);
    seen
}

/// The first JSON value of an output.
fn json_of(seen: &Witness) -> Value {
    let line = seen.text.lines().next().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", seen.name))
}

/// The launch URL of PayJS carries `attach`, and whoever asks for the order must be given it: that alone is left out.
fn without_launch_url(seen: Witness) -> Witness {
    let text = seen.text.lines().map(|line| match serde_json::from_str(line) {
        Ok(mut value) => {
            blank(&mut value);
            value.to_string()
        }
        Err(_) => line.to_owned(),
    });
    Witness { text: text.collect::<Vec<_>>().join("\n"), name: seen.name }
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("redirect_url");
            fields.values_mut().for_each(blank);
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        _ => {}
    }
}

fn create(scene: &Scene, number: &str, amount: &str, provider: &str) -> Witness {
    let args = ["create", "--merchant", "tea", "--order", number, "--amount", amount, "--description", "Tea"];
    let payer = ["--open-id", OPEN_ID, "--client-ip", CLIENT_IP, "--attach", ATTACH];
    order(scene, "json", &[&args[..], &payer, &["--provider", provider, "--wait", "30"]].concat())
}

/// An order of WeChat Pay goes its whole way, one of PayJS too; every command tells of it.
async fn pay_and_refund(scene: &Scene, client: &Client) -> Vec<Witness> {
    let fulfilled = |order: &v1::Order| order.fulfilment() == v1::Fulfilment::Fulfil;
    let mut seen = vec![create(scene, "HIDE-0001", "1200", "wechatpay")];
    assert_eq!(json_of(&seen[0])["order"]["state"], "PENDING", "{}", seen[0].text);
    scene.control("pay", &json!({ "mchid": WECHAT_MCHID, "out_trade_no": "HIDE-0001" })).await;
    until(client, "tea", "HIDE-0001", fulfilled).await;

    let created = create(scene, "HIDE-0002", "1300", "payjs");
    let url = json_of(&created)["order"]["launch"]["redirect_url"].clone();
    assert!(url.as_str().is_some_and(|url| url.contains(ATTACH)), "{url}");
    scene.control("open", &json!({ "url": url })).await;
    scene.control("pay", &json!({ "mchid": PAYJS_MCHID, "out_trade_no": "HIDE-0002" })).await;
    until(client, "tea", "HIDE-0002", fulfilled).await;
    seen.push(created);

    for (number, amount) in [("HIDE-0001", "500"), ("HIDE-0002", "1300")] {
        let name = ["--merchant", "tea", "--order", number];
        let refund = ["refund", "--refund", "R1", "--amount", amount, "--wait", "30"];
        let refunded = order(scene, "json", &[&refund[..], &name].concat());
        assert_eq!(json_of(&refunded)["refund"]["state"], "DONE", "{}", refunded.text);
        seen.push(refunded);
        for command in [
            &["get"][..],
            &["timeline"],
            &["explain"],
            &["requery", "--wait", "30"],
            &["get-refund", "--refund", "R1"],
        ] {
            seen.push(order(scene, "json", &[command, &name].concat()));
        }
    }
    seen.push(order(scene, "text", &["explain", "--merchant", "tea", "--order", "HIDE-0002"]));
    seen.push(order(scene, "json", &["list", "--merchant", "tea"]));
    seen
}

/// Answers that are forged, garbage or a refusal: the provider's own words are logged nowhere.
fn fail_at_the_provider(scene: &Scene) -> Vec<Witness> {
    let orders = [("HIDE-0057", "1257"), ("HIDE-0058", "1258"), ("HIDE-0061", "1261")];
    orders.map(|(number, amount)| create(scene, number, amount, "wechatpay")).into()
}

/// Requests with faults in every field that holds something personal, wrong keys, a stranger's order.
async fn ask_wrongly(scene: &Scene, client: &Client) -> Vec<Witness> {
    let long = WRONG_VALUE.repeat(20);
    let request = v1::CreateOrderRequest {
        merchant_id: "tea".to_owned(),
        merchant_order_no: "HIDE-BAD".to_owned(),
        request_id: "bad".to_owned(),
        amount: Some(v1::Amount { currency: "CNY".to_owned(), minor: 100 }),
        description: "Tea".to_owned(),
        attach: long.clone(),
        payer: Some(v1::Payer { open_id: long.clone(), app_id: long, client_ip: WRONG_VALUE.to_owned() }),
        wait: Some(seconds(0)),
        ..v1::CreateOrderRequest::default()
    };
    let refusal = client.create(request.clone()).await.expect_err("it is refused");
    assert!(refusal.violations.iter().any(|(field, _)| field == "payer.open_id"), "{refusal}");
    let stranger = scene.client(WRONG_KEY).await;
    let unknown = stranger.orders().create_order(request.clone()).await.expect_err("it is refused");
    let witness = |name: &str, text: String| Witness { name: name.to_owned(), text };
    let key_file = scene.file("secrets/wrong");
    scene.write("secrets/wrong", WRONG_KEY);
    let address = scene.address();
    let by_hand = [
        "order",
        "--server",
        &address,
        "--log",
        "trace",
        "--key-file",
        &key_file,
        "list",
        "--merchant",
        "tea",
    ];
    vec![
        witness("a refusal", format!("{refusal} {refusal:?} {request:?}")),
        witness(
            "a status",
            format!("{unknown} {unknown:?} {:?}", String::from_utf8_lossy(unknown.details())),
        ),
        scene.run(&by_hand),
        scene.run(&["merchants", "list", "--server", &address, "--log", "trace"]),
    ]
}

/// Notifications that are garbage or forged.
async fn notify_wrongly(scene: &Scene) {
    let form =
        format!("mchid={PAYJS_MCHID}&openid={OPEN_ID}&attach={GARBAGE}&total_fee=1&sign={}", "0".repeat(32));
    for (provider, body) in
        [("wechatpay", GARBAGE.to_owned()), ("payjs", form), ("payjs", GARBAGE.to_owned())]
    {
        for signature in ["WECHATPAY/SIGNTEST/x", GARBAGE] {
            let request = http().post(scene.notify_url(provider)).body(body.clone());
            let request = request
                .header("Wechatpay-Timestamp", jiff::Timestamp::now().as_second().to_string())
                .header("Wechatpay-Nonce", GARBAGE)
                .header("Wechatpay-Serial", GARBAGE)
                .header("Wechatpay-Signature", signature);
            let sent = request.send().await;
            assert!(sent.is_err() || sent.is_ok_and(|answer| !answer.status().is_success()));
        }
    }
}

/// A reload that finds broken secrets names them and shows nothing of them.
async fn reload_broken(scene: &Scene, server: &Logged) -> Witness {
    scene.write("secrets/apiv3", BROKEN_SECRET);
    scene.write("secrets/payjs", &format!("{BROKEN_SECRET}\nof two lines"));
    scene.write(
        "secrets/key.pem",
        &format!("-----BEGIN PRIVATE KEY-----\n{BROKEN_SECRET}\n-----END PRIVATE KEY-----\n"),
    );
    server.signal("HUP");
    server.says("not reloaded: what was in force stays in force").await;
    let checked = scene.run(&["config", "check", "--config", &scene.file("paymux.toml")]);
    assert!(checked.text.contains("accounts.wx.apiv3_key_file"), "{}", checked.text);
    scene.write_secrets();
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_personal_datum_is_seen_anywhere() {
    let scene = Scene::set().await;
    let server = scene.serve(&[]);
    server.says("\"serving\"").await;
    let client = scene.client(&scene.caller.key).await;
    let watched =
        v1::WatchOrdersRequest { merchant_id: "tea".to_owned(), ..v1::WatchOrdersRequest::default() };
    let mut watch = client.watch(watched);
    watch.open().await.expect("a watch");
    let start = watch.resume_token().expect("a token").to_owned();

    let mut seen = pay_and_refund(&scene, &client).await;
    seen.extend(fail_at_the_provider(&scene));
    seen.extend(ask_wrongly(&scene, &client).await);
    notify_wrongly(&scene).await;
    seen.push(reload_broken(&scene, &server).await);
    seen.push(order(&scene, "json", &["watch", "--merchant", "tea", "--resume", &start, "--count", "6"]));
    let event = tokio::time::timeout(Duration::from_secs(60), watch.next()).await.expect("an event");
    seen.push(Witness { name: "an event".to_owned(), text: format!("{:?}", event.expect("an event")) });
    for command in ["dump", "check"] {
        seen.push(scene.run(&["config", command, "--config", &scene.file("paymux.toml"), "--log", "trace"]));
    }
    seen.push(server.ended());
    let mut seen: Vec<Witness> = seen.into_iter().map(without_launch_url).collect();

    // That there was something to search in.
    let log = &seen.last().expect("the log").text;
    for words in
        ["\"TRACE\"", "\"target\":\"h2::", "\"target\":\"hyper", "notifications refused", "not reloaded"]
    {
        assert!(log.contains(words), "the log says nothing of {words}");
    }
    let events = seen.iter().find(|witness| witness.name.starts_with("order watch")).expect("events");
    assert!(events.text.contains("HIDE-0001") && events.text.contains("event_id"), "{}", events.text);

    let mut data = scene.data();
    data.extend([
        Datum::new("a stranger's garbage", GARBAGE),
        Datum::new("a wrong value", WRONG_VALUE),
        Datum::new("a wrong key", WRONG_KEY),
        Datum::new("a broken secret", BROKEN_SECRET),
    ]);
    let found = finds(&seen, &data);
    assert!(found.is_empty(), "{} finds:\n{}", found.len(), found.join("\n"));

    // A datum that was put there is found, in the same texts.
    let last = seen.last_mut().expect("the log");
    last.text.push_str(&hex::encode_upper(CLIENT_IP));
    assert!(finds(&seen, &data)[0].starts_with("client_ip as hex in the log"));
}

#[cfg(feature = "plant")]
#[tokio::test(flavor = "multi_thread")]
async fn planted_leaks_are_found() {
    for leak in ["clear", "hex", "bytes"] {
        let scene = Scene::set().await;
        let server = scene.serve(&["--plant", leak]);
        server.says("\"serving\"").await;
        let created = create(&scene, "HIDE-0001", "1200", "wechatpay");
        assert_eq!(json_of(&created)["order"]["state"], "PENDING", "{}", created.text);
        let found = finds(&[server.ended()], &scene.data());
        let expected = format!("open_id as {leak} in the log");
        assert!(
            !found.is_empty() && found.iter().all(|find| find.starts_with(&expected)),
            "{leak}: {found:?}"
        );
    }
}
