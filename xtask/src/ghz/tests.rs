//! The configurations fit the API, and what ghz says is read; ghz itself is not needed.

use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage};
use serde_json::json;

use super::*;

fn api() -> DescriptorPool {
    let bytes = std::fs::read(crate::root().join(DESCRIPTORS)).expect("the generated descriptors");
    DescriptorPool::decode(bytes.as_slice()).expect("descriptors")
}

/// The method that a configuration names, and whether its data are such a message.
fn fits(known: &Value) -> Result<()> {
    let call = known["call"].as_str().context("no call")?;
    let (service, method) = call.split_once('/').context("no method")?;
    let service = api().get_service_by_name(service).with_context(|| format!("no service {service}"))?;
    let method = service.methods().find(|known| known.name() == method);
    let method = method.with_context(|| format!("no method in {call}"))?;
    let data = known["data"].to_string();
    let mut read = serde_json::Deserializer::from_str(&data);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(method.input(), &mut read, &options)?;
    ensure!(
        method.is_client_streaming() == known.get("stream-call-count").is_some(),
        "streams, and only they, have a number of messages"
    );
    Ok(())
}

fn known(name: &str) -> Value {
    let text = std::fs::read_to_string(configuration(&crate::root(), name)).expect(name);
    serde_json::from_str(&text).expect(name)
}

#[test]
fn every_configuration_names_a_method_and_its_data_are_such_a_message() {
    for name in CONFIGURATIONS {
        fits(&known(name)).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }
}

#[test]
fn a_configuration_that_does_not_fit_is_found() {
    let planted = |key: &str, value: Value| {
        let mut known = known("accept");
        *known.pointer_mut(key).expect(key) = value;
        format!("{:#}", fits(&known).expect_err(key))
    };
    assert!(planted("/call", json!("paymux.v1.OrderService/Create")).contains("no method"));
    assert!(planted("/call", json!("paymux.v1.Orders/CreateOrder")).contains("no service"));
    assert!(planted("/data/amount", json!({ "minor": 1, "yuan": 1 })).contains("yuan"));
    assert!(!planted("/data/expire_after", json!("soon")).is_empty(), "a time that is none");
    assert!(
        planted("/call", json!("paymux.v1.OrderService/SubmitOrders")).contains("amount"),
        "another message"
    );
}

#[test]
fn every_configuration_is_an_open_loop_at_a_fixed_rate() {
    let folder = std::fs::read_dir(crate::root().join("benches/ghz")).expect("the folder");
    let names = folder.map(|entry| entry.expect("an entry").path());
    let files = names.filter(|path| path.extension().is_some_and(|end| end == "json"));
    assert_eq!(files.count(), CONFIGURATIONS.len(), "a file that nobody runs");
    for name in CONFIGURATIONS {
        let known = known(name);
        assert_eq!(known["async"], true, "{name}: without it a slow answer lowers the rate");
        assert!(known["rps"].as_u64() > Some(0) && known["name"] == *name, "{name}");
        // Of the amount's last two digits 00 to 49 ask the simulator for no fault.
        let amount = known.pointer("/data/amount/minor").or(known.pointer("/data/order/amount/minor"));
        assert!(amount.and_then(Value::as_u64).expect(name) % 100 < 50, "{name}");
    }
}

#[test]
fn what_ghz_says_becomes_a_row() {
    let result = json!({
        "count": 1000, "rps": 99.5,
        "statusCodeDistribution": { "OK": 990, "ResourceExhausted": 10 },
        "latencyDistribution": [
            { "percentage": 50, "latency": 1_500_000 }, { "percentage": 95, "latency": 4_000_000 },
            { "percentage": 99, "latency": 9_250_000 },
        ],
    });
    let row = Row::of("stream", 100, 20, &result).expect("a row");
    assert_eq!((row.p50_ms, row.p95_ms, row.p99_ms, row.errors), (1.5, 4.0, 9.25, 10));
    let table = table(&[row]);
    let last = table.lines().last().expect("a line").split_whitespace().collect::<Vec<_>>();
    assert_eq!(last, ["stream", "100", "1000", "99.5", "1990.0", "1.50", "4.00", "9.25", "10"]);
    assert!(Row::of("accept", 1, 1, &json!({})).is_err());
}
