//! The command line: exit codes, JSON, and the whole way of an order with it.

use serde_json::{Value, json};

use crate::rig::{World, paymux};

fn json_of(output: &std::process::Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn wrong_usage_is_exit_2_and_a_faulty_configuration_exit_64() {
    assert_eq!(paymux(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(paymux(&["order", "get"]).status.code(), Some(2));
    let missing = paymux(&["config", "check", "--config", "no/such/file.toml", "--output", "json"]);
    assert_eq!(missing.status.code(), Some(64));
    assert_eq!(json_of(&missing)["faults"][0]["key"], "(file)");
    assert_eq!(paymux(&["serve", "--config", "no/such/file.toml"]).status.code(), Some(64));
    let nobody =
        paymux(&["order", "get", "--server", "http://127.0.0.1:1", "--merchant", "m", "--order", "o"]);
    assert_eq!(nobody.status.code(), Some(1));
}

#[test]
fn the_configuration_of_a_world_has_no_faults_and_can_be_dumped() {
    let world = World::start(&[]);
    let config = world.config_file();
    let config = config.to_str().unwrap();
    let checked = paymux(&["config", "check", "--config", config, "--output", "json"]);
    assert_eq!(checked.status.code(), Some(0));
    assert_eq!(json_of(&checked), json!({ "faults": [], "merchants": 4, "accounts": 3 }));
    let dump = paymux(&["config", "dump", "--config", config]);
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("[accounts.direct-shared-0]") && dump.contains("# default"), "{dump}");
    assert!(!dump.contains("PRIVATE KEY") && !dump.contains("demo-apiv3"), "{dump}");
    let example = paymux(&["config", "example"]);
    assert!(String::from_utf8_lossy(&example.stdout).contains("grpc_listen"));
}

#[test]
fn an_order_goes_its_whole_way_by_the_command_line() {
    let world = World::start(&[]);
    let order = |args: &[&str]| {
        let base = ["order", "--server", &world.grpc, "--output", "json", "--log", "warn"];
        paymux(&[&base, args].concat())
    };
    let name = ["--merchant", "m01", "--order", "CLI-0001"];
    let create = ["create", "--amount", "1234", "--description", "Tea", "--open-id", "o1", "--wait", "30"];
    let created = order(&[&create[..], &name[..]].concat());
    assert_eq!(created.status.code(), Some(0), "{created:?}");
    let created = json_of(&created);
    assert_eq!((&created["basis"], &created["order"]["state"]), (&json!("CURRENT"), &json!("PENDING")));
    assert!(created["order"]["launch"]["wechat_jsapi"]["pay_sign"].is_string());

    let merchant = world.merchants.first().unwrap().clone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let out_trade_no = format!("{}CLI-0001", merchant.prefix);
    runtime.block_on(world.control("pay", &json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no })));
    let watched = order(&["watch", "--merchant", "m01", "--count", "1", "--resume", "nonsense"]);
    assert_eq!(watched.status.code(), Some(3));

    let client = runtime.block_on(world.client());
    runtime.block_on(crate::rig::until(&client, "m01", "CLI-0001", |order| {
        order.fulfilment() == paymux_proto::v1::Fulfilment::Fulfil
    }));
    let got = json_of(&order(&[&["get"], &name[..]].concat()));
    assert_eq!((&got["state"], &got["fulfilment"]), (&json!("PAID"), &json!("FULFIL")));
    let trade_no = got["payments"][0]["provider_trade_no"].as_str().unwrap().to_owned();
    let found = order(&["find", "--merchant", "m01", "--provider", "wechatpay", "--trade-no", &trade_no]);
    assert_eq!(json_of(&found)["merchant_order_no"], "CLI-0001");
    assert_eq!(json_of(&order(&["list", "--merchant", "m01"]))["merchant_order_no"], "CLI-0001");
    let timeline = json_of(&order(&[&["timeline"], &name[..]].concat()));
    assert_eq!(timeline["entries"][0]["fact_key"], "created");
    let explained = paymux(&[&["order", "--server", &world.grpc, "explain"], &name[..]].concat());
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("m01/CLI-0001 is PAID") && explained.contains("Next: "), "{explained}");

    // Accepted says nothing of an order that was not read, not even that it exists.
    let accepted = json_of(&order(&["close", "--merchant", "m01", "--order", "NONE-001"]));
    let identity = json!({ "merchant_id": "m01", "merchant_order_no": "NONE-001" });
    assert_eq!(accepted, json!({ "order": identity, "basis": "ACCEPTED" }));
    let requery = ["order", "--server", &world.grpc, "requery"];
    let accepted = paymux(&[&requery[..], &name[..]].concat());
    let accepted = String::from_utf8_lossy(&accepted.stdout).into_owned();
    assert!(accepted.starts_with("accepted") && accepted.contains("order get"), "{accepted}");
    let asked = json_of(&order(&[&["requery", "--wait", "30"], &name[..]].concat()));
    assert_eq!((&asked["basis"], &asked["order"]["state"]), (&json!("CURRENT"), &json!("PAID")));

    let missing = order(&["get", "--merchant", "m01", "--order", "NONE-001"]);
    assert_eq!(missing.status.code(), Some(3));
    assert_eq!(json_of(&missing)["error"]["reason"], "ORDER_NOT_FOUND");
}

#[test]
fn a_refund_goes_its_way_by_the_command_line() {
    // A refund is on its way for twenty seconds, which pass in two.
    let world = World::start(&["--clock-factor", "10"]);
    let order = |format: &str, args: &[&str]| {
        paymux(&[&["order", "--server", &world.grpc, "--output", format, "--log", "warn"], args].concat())
    };
    let name = ["--merchant", "m01", "--order", "REFUND-1"];
    let create = ["create", "--amount", "1200", "--description", "Tea", "--open-id", "o1", "--wait", "30"];
    order("json", &[&create[..], &name].concat());
    let refund = |format: &str, amount: &str| {
        let args = ["refund", "--refund", "R1", "--amount", amount, "--reason", "cold", "--wait", "30"];
        order(format, &[&args[..], &name].concat())
    };
    let unpaid = refund("json", "500");
    assert_eq!(unpaid.status.code(), Some(3), "{unpaid:?}");
    assert_eq!(json_of(&unpaid)["error"]["reason"], "ORDER_NOT_PAID");

    let merchant = world.merchants.first().unwrap().clone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let payment = json!({ "mchid": merchant.mchid, "out_trade_no": format!("{}REFUND-1", merchant.prefix) });
    runtime.block_on(world.control("pay", &payment));
    let client = runtime.block_on(world.client());
    let is_paid = |order: &paymux_proto::v1::Order| !order.payments.is_empty();
    runtime.block_on(crate::rig::until(&client, "m01", "REFUND-1", is_paid));

    let refunded = refund("json", "500");
    assert_eq!(refunded.status.code(), Some(0), "{refunded:?}");
    let refunded = json_of(&refunded);
    assert_eq!((&refunded["basis"], &refunded["refund"]["state"]), (&json!("CURRENT"), &json!("DONE")));
    let again = String::from_utf8_lossy(&refund("text", "500").stdout).into_owned();
    assert!(again.contains("m01/REFUND-1/R1") && again.contains("5.00 CNY"), "{again}");
    let conflict = refund("json", "501");
    assert_eq!(conflict.status.code(), Some(3));
    assert_eq!(json_of(&conflict)["error"]["reason"], "REFUND_CONFLICT");

    let from_settled = ["--options", r#"wechatpay={"funds":"AVAILABLE"}"#];
    let other = ["refund", "--refund", "R1", "--amount", "500", "--reason", "cold", "--wait", "30"];
    let other = order("json", &[&other[..], &name, &from_settled].concat());
    assert_eq!(json_of(&other)["error"]["reason"], "REFUND_CONFLICT", "the options are part of the refund");

    let get = |number: &str| order("json", &[&["get-refund", "--refund", number], &name[..]].concat());
    let mut got = json_of(&get("R1"));
    assert_eq!(got.as_object_mut().unwrap().remove("reason"), Some(json!("cold")));
    assert_eq!(got["amount"], json!({ "currency": "CNY", "minor": 500 }));
    let missing = get("R9");
    assert_eq!(missing.status.code(), Some(3));
    assert_eq!(json_of(&missing)["error"]["reason"], "REFUND_NOT_FOUND");
    let shown = json_of(&order("json", &[&["get"], &name[..]].concat()));
    assert_eq!(shown["refunds"][0]["refund_no"], "R1");
    assert_eq!(shown["refunded_amount"]["minor"], 500);
    let shown = String::from_utf8_lossy(&order("text", &[&["get"], &name[..]].concat()).stdout).into_owned();
    assert!(shown.contains("refund             R1 5.00 CNY DONE"), "{shown}");
}

#[test]
fn options_of_the_provider_go_with_an_order_and_with_its_refund() {
    let world = World::start(&["--clock-factor", "10"]);
    let order = |args: &[&str]| {
        paymux(&[&["order", "--server", &world.grpc, "--output", "json", "--log", "warn"], args].concat())
    };
    let create = |number: &str, options: &str| {
        let args =
            ["create", "--merchant", "m01", "--amount", "1200", "--description", "Tea", "--open-id", "o1"];
        order(&[&args[..], &["--wait", "30", "--order", number, "--options", options]].concat())
    };
    let tag = |tag: &str| format!(r#"wechatpay={{"goods_tag":"{tag}","support_fapiao":true}}"#);
    assert_eq!(create("OPTION-1", &tag("sale")).status.code(), Some(0));
    assert_eq!(create("OPTION-1", &tag("sale")).status.code(), Some(0), "the same order");
    assert_eq!(json_of(&create("OPTION-1", &tag("gift")))["error"]["reason"], "ORDER_CONFLICT");
    assert_eq!(create("OPTION-2", &tag(&"x".repeat(33))).status.code(), Some(3), "it is too long");
    assert_eq!(create("OPTION-2", r#"payjs={"auto_pay":true}"#).status.code(), Some(3), "another provider's");
    for unreadable in [r#"wechatpay={"tag":"sale"}"#, "wechatpay", "wechatpay={", r#"alipay={}"#] {
        assert_eq!(create("OPTION-2", unreadable).status.code(), Some(2), "{unreadable}");
    }

    let merchant = world.merchants.first().unwrap().clone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let payment = json!({ "mchid": merchant.mchid, "out_trade_no": format!("{}OPTION-1", merchant.prefix) });
    runtime.block_on(world.control("pay", &payment));
    let client = runtime.block_on(world.client());
    let is_paid = |order: &paymux_proto::v1::Order| !order.payments.is_empty();
    runtime.block_on(crate::rig::until(&client, "m01", "OPTION-1", is_paid));
    let refund = |options: &str| {
        let args =
            ["refund", "--merchant", "m01", "--order", "OPTION-1", "--refund", "R1", "--amount", "500"];
        order(&[&args[..], &["--wait", "30", "--options", options]].concat())
    };
    let parts =
        |fen: i64| format!(r#"wechatpay={{"sources":[{{"funds":"AVAILABLE","amount_minor":{fen}}}]}}"#);
    assert_eq!(refund(&parts(400)).status.code(), Some(3), "the sum is not the refund");
    assert_eq!(refund("payjs={}").status.code(), Some(2), "no other provider has any");
    let refunded = refund(&parts(500));
    assert_eq!(refunded.status.code(), Some(0), "{refunded:?}");
    assert_eq!(json_of(&refunded)["refund"]["state"], "DONE");
}

#[test]
fn a_list_goes_over_its_pages_and_a_watch_behind_its_token() {
    let world = World::start(&[]);
    let order = |format: &str, args: &[&str]| {
        paymux(&[&["order", "--server", &world.grpc, "--output", format, "--log", "warn"], args].concat())
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(world.client());
    let request = paymux_proto::v1::WatchOrdersRequest {
        merchant_id: "m01".to_owned(),
        ..paymux_proto::v1::WatchOrdersRequest::default()
    };
    let mut watch = client.watch(request);
    runtime.block_on(watch.open()).unwrap();
    let start = watch.resume_token().unwrap().to_owned();
    for (n, amount) in ["100", "200", "300"].iter().enumerate() {
        let name = format!("PAGE-000{n}");
        let args = ["create", "--amount", amount, "--description", "Tea", "--open-id", "o1", "--wait", "30"];
        let created = order("json", &[&args[..], &["--merchant", "m01", "--order", &name]].concat());
        assert_eq!(json_of(&created)["order"]["state"], "PENDING", "{created:?}");
    }

    // Half of the first page does not match, so that a second one is needed with one order left to find.
    let merchant = world.merchants.first().unwrap().clone();
    let paid: Vec<String> = ["PAGE-0000", "PAGE-0002"]
        .map(|number| {
            let out_trade_no = format!("{}{number}", merchant.prefix);
            let payment = json!({ "mchid": merchant.mchid, "out_trade_no": out_trade_no });
            runtime.block_on(world.control("pay", &payment));
            let is_paid = |order: &paymux_proto::v1::Order| !order.payments.is_empty();
            runtime.block_on(crate::rig::until(&client, "m01", number, is_paid));
            number.to_owned()
        })
        .into();
    let listed = order("json", &["list", "--merchant", "m01", "--state", "paid", "--limit", "2"]);
    assert_eq!(listed.status.code(), Some(0), "{listed:?}");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut numbers: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["merchant_order_no"].as_str().unwrap().to_owned()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, paid);

    let watch = ["watch", "--merchant", "m01", "--count", "1", "--resume"];
    let first = json_of(&order("json", &[&watch[..], &[&start]].concat()));
    assert_eq!(first["event_id"], "m01/PAGE-0000/launch/1");
    let token = first["resume_token"].as_str().unwrap().to_owned();
    let second = order("text", &[&watch[..], &[&token]].concat());
    let second = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(second.contains("m01/PAGE-0001/launch/1"), "{second}");
    let token = second.lines().last().and_then(|line| line.strip_prefix("go on with --resume ")).unwrap();
    let third = json_of(&order("json", &[&watch[..], &[token]].concat()));
    assert_eq!(third["event_id"], "m01/PAGE-0002/launch/1");
}
