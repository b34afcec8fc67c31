//! `Debug` for messages with personal data or key material: it names the order and shows nothing of the content.

use std::fmt;

use crate::v1;

macro_rules! masked {
    ($($name:ident { $($shown:ident),* }),* $(,)?) => {
        $(
            impl fmt::Debug for v1::$name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
                }
            }
        )*
    };
}

masked! {
    CreateOrderRequest { merchant_id, merchant_order_no, request_id, provider, method, amount },
    Payer {},
    XorpayOptions {},
    MaqianTerminalInfo {},
    WechatJsapi { app_id },
    AlipayMiniProgram { app_id },
    CreatedFact { merchant_id, merchant_order_no, request_id, provider, account, method, amount },
    PayerRecord {},
    DeadRecord { origin_topic, origin_partition, origin_offset, reason },
    DeadEntry { dead_id, reason, raw_bytes },
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "secret-value";

    /// Every masked message, with the secret in each field that must not be shown.
    fn loaded() -> Vec<Box<dyn fmt::Debug>> {
        let secret = || SECRET.to_owned();
        let payer = v1::Payer { open_id: secret(), app_id: secret(), client_ip: secret() };
        let payer_record =
            v1::PayerRecord { open_id: Some(secret()), app_id: Some(secret()), client_ip: Some(secret()) };
        let created = v1::CreatedFact {
            attach: Some(secret()),
            payer: Some(payer_record.clone()),
            options_json: secret(),
            description: secret(),
            ..v1::CreatedFact::default()
        };
        let command = v1::CreateCommand { created: Some(created.clone()), reply_to: None };
        let fact = v1::Fact { body: Some(v1::fact::Body::Created(created.clone())), ..v1::Fact::default() };
        let create = v1::CreateOrderRequest {
            attach: secret(),
            payer: Some(payer.clone()),
            description: secret(),
            options: Some(v1::create_order_request::Options::Xorpay(v1::XorpayOptions {
                order_uid: Some(secret()),
            })),
            ..v1::CreateOrderRequest::default()
        };
        let jsapi = v1::WechatJsapi { pay_sign: secret(), package: secret(), ..v1::WechatJsapi::default() };
        let terminal = v1::MaqianTerminalInfo { secret_text: secret(), ..v1::MaqianTerminalInfo::default() };
        let mini = v1::AlipayMiniProgram {
            data: secret(),
            sign: secret(),
            app_uri: secret(),
            ..v1::AlipayMiniProgram::default()
        };
        let dead = v1::DeadRecord { raw: SECRET.into(), ..v1::DeadRecord::default() };
        let entry = v1::DeadEntry { raw: Some(SECRET.into()), ..v1::DeadEntry::default() };
        let submit = v1::SubmitOrdersRequest { order: Some(create.clone()) };
        vec![
            Box::new(payer),
            Box::new(payer_record),
            Box::new(created),
            Box::new(command),
            Box::new(fact),
            Box::new(create),
            Box::new(submit),
            Box::new(v1::XorpayOptions { order_uid: Some(secret()) }),
            Box::new(terminal),
            Box::new(jsapi),
            Box::new(mini),
            Box::new(dead),
            Box::new(entry),
        ]
    }

    #[test]
    fn debug_shows_no_personal_data() {
        for message in loaded() {
            let text = format!("{message:?}");
            assert!(!text.contains(SECRET), "{text}");
        }
    }

    #[test]
    fn debug_names_the_order() {
        let request = v1::CreateOrderRequest {
            merchant_order_no: "A1".to_owned(),
            ..v1::CreateOrderRequest::default()
        };
        assert!(format!("{request:?}").contains("merchant_order_no: \"A1\""));
    }
}
