//! What an order takes from its account is taken once: repeats say the same whatever the account says by then.

use paymux_domain::command::Created;
use paymux_domain::outcome::{Operation, Word};

use super::{DIRECT, Kit, PARTNER, call, created, kit, kit_of, signed};

/// The direct account and the partner's with other apps and another shop.
fn changed() -> Kit {
    let direct = DIRECT.replace("\"wx8888888888888888\", ", "");
    let partner = PARTNER
        .replace("[\"wx8888888888888888\"]", "[\"wxnew\"]")
        .replace("[\"wxd678efh567hg6999\"]", "[\"wx8888888888888888\"]");
    kit_of(&[("direct", &direct), ("partner", &format!("{partner}\nstore_id = \"0002\""))], 1)
}

fn body(kit: &Kit, order: &Created) -> String {
    String::from_utf8(kit.build(&call(Operation::Create, order.clone())).body).unwrap()
}

#[track_caller]
fn check(kit: &Kit, order: Created) -> Created {
    let resolved = kit.provider.resolve(order.clone());
    assert_eq!(kit.provider.check(&resolved), [], "a resolved order is a good order");
    assert_eq!(kit.provider.resolve(resolved.clone()), resolved, "once is enough");
    assert_eq!(body(kit, &resolved), body(kit, &order), "it says what the order said");
    assert_eq!(body(&changed(), &resolved), body(kit, &order), "and goes on saying it");
    resolved
}

#[test]
fn the_payers_app_stands_in_the_order() {
    let resolved = check(&kit(), created("jsapi"));
    assert_eq!(resolved.payer.app_id.as_deref(), Some("wx8888888888888888"));
    assert_eq!(resolved.options_json, "");
    assert_ne!(body(&changed(), &created("jsapi")), body(&kit(), &created("jsapi")), "else it would change");
    let mut second = created("jsapi");
    second.payer.app_id = Some("wx9999999999999999".to_owned());
    assert_eq!(check(&kit(), second.clone()), second);
}

#[test]
fn a_partners_order_names_whose_app_it_is_and_the_partners_own() {
    let resolved = check(&kit(), created("partner_jsapi"));
    assert_eq!(resolved.payer.app_id.as_deref(), Some("wx8888888888888888"));
    assert_eq!(resolved.options_json, r#"{"payer_scope":"partner"}"#);
    let mut sub = created("partner_jsapi");
    sub.options_json = r#"{"goods_tag":"WXG","payer_scope":"sub_merchant"}"#.to_owned();
    let resolved = check(&kit(), sub);
    assert_eq!(resolved.payer.app_id.as_deref(), Some("wxd678efh567hg6999"));
    assert_eq!(
        resolved.options_json,
        r#"{"payer_scope":"sub_merchant","goods_tag":"WXG","sp_app_id":"wx8888888888888888"}"#
    );
}

#[test]
fn the_shop_of_the_account_stands_in_the_order() {
    let kit = kit_of(&[("partner", &format!("{PARTNER}\nstore_id = \"0001\""))], 1);
    let mut order = created("scannedpos");
    order.options_json = String::new();
    let resolved = check(&kit, order);
    assert_eq!(resolved.options_json, r#"{"payer_scope":"partner","store_info":{"id":"0001"}}"#);
    let own = check(&kit, created("scannedpos"));
    assert!(own.options_json.contains(r#""store_info":{"out_id":"0001"}"#), "{}", own.options_json);
}

#[test]
fn the_launch_is_signed_for_the_app_of_the_order() {
    let resolved = kit().provider.resolve(created("jsapi"));
    let report = changed().parse(&call(Operation::Create, resolved), &signed(200, r#"{"prepay_id":"wx1"}"#));
    let [Word::Launched(launch)] = report.words.as_slice() else { panic!("{report:?}") };
    let paymux_domain::launch::LaunchParams::WechatJsapi(fields) = &launch.params else {
        panic!("{launch:?}")
    };
    assert_eq!(fields.app_id, "wx8888888888888888");
}

#[test]
fn an_order_that_fits_no_account_stays_as_it_is() {
    let kit = kit();
    let gone = Created { account: "gone".parse().unwrap(), ..created("jsapi") };
    assert_eq!(kit.provider.resolve(gone.clone()), gone);
    let unreadable = Created { options_json: "{".to_owned(), ..created("scannedpos") };
    assert_eq!(kit.provider.resolve(unreadable.clone()), unreadable);
    let mut foreign = created("jsapi");
    foreign.payer.app_id = Some("wxother".to_owned());
    assert_eq!(kit.provider.resolve(foreign.clone()), foreign);
}
