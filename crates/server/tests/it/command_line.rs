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
    let create = ["create", "--amount", "1234", "--description", "Tea", "--open-id", "o1", "--wait", "20"];
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

    let missing = order(&["get", "--merchant", "m01", "--order", "NONE-001"]);
    assert_eq!(missing.status.code(), Some(3));
    assert_eq!(json_of(&missing)["error"]["reason"], "ORDER_NOT_FOUND");
}
