//! `paymux sign`: the text under a signature and the signature, for integrators who compare them with their own.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use paymux_domain::ports::FieldFault;
use paymux_providers::SigningPool;
use paymux_providers::signing::PoolOptions;
use paymux_providers::workbench::{SignFault, SignedText};
use serde_json::{Value, json};

use super::account::{AccountArgs, read_input};
use super::config_cmd::faults_json;
use super::{Exit, Output};

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints one JSON object: canonical, the text under the signature; signature; and for a request to wechatpay
authorization, the header's value. A key that is part of the text is shown as <key>.

Fields of the input, all of them texts; whole numbers may stand without quotes:
  wechatpay  a request: method, path (with its query, as sent), timestamp, nonce, body (of a POST, as sent)
             a launch:  appId, timeStamp, nonceStr, package
  payjs      the cashier: mchid, total_fee, out_trade_no, and as sent body, attach, notify_url, callback_url, auto,
             hide, logo;  check, close and refund: payjs_order_id, and mchid where it is sent
  xorpay     a create: name, pay_type, price, order_id, notify_url;  a query: order_id;  a refund: price
  maqian     a launch: app_id, app_name, merch_no, out_trade_no, pn, total_amount, and as sent the optional fields of its
             page (goods_detail and terminal_info as JSON or as its text);  a call of the server API: accessid, and as
             sent req_id, agent_no, merch_no, out_trade_no, trade_no, pn, out_refund_no, refund_amount
  upaas      a request: store_num, and the fields of the create or those that the account names, as sent

Exit codes: 0 signed; 1 a file cannot be read; 2 wrong usage; 64 the account has faults; 65 the input has faults, all of
them named.

A whole example, for payjs:
  $ cat shop.toml
  mchid = \"123456\"
  key_env = \"PAYJS_KEY\"
  $ cat fields.json
  { \"mchid\": \"123456\", \"total_fee\": 1, \"out_trade_no\": \"T1\", \"body\": \"a b\" }
  $ PAYJS_KEY=xxxxxx paymux sign payjs --account shop.toml --input fields.json
  {
    \"canonical\": \"body=a b&mchid=123456&out_trade_no=T1&total_fee=1&key=<key>\",
    \"signature\": \"E7A75F7B39A54C137DF69AFE2EFED7F1\"
  }

For xorpay, a create:
  $ cat xorpay.toml
  aid = \"15627\"
  app_secret_env = \"XORPAY_APP_SECRET\"
  $ cat create.json
  { \"name\": \"Tea\", \"pay_type\": \"jsapi\", \"price\": \"50.00\", \"order_id\": \"T1x\",
    \"notify_url\": \"https://pay.example.com/notify\" }
  $ XORPAY_APP_SECRET=xxxxxx paymux sign xorpay --account xorpay.toml --input create.json
  {
    \"canonical\": \"Teajsapi50.00T1xhttps://pay.example.com/notify<key>\",
    \"signature\": \"f418ecd50fd07872a7156ef898b0f257\"
  }

For upaas, a create of an account whose requests are signed:
  $ cat upaas.toml
  store_num = \"1000001\"
  key_env = \"UPAAS_KEY\"
  request_sign = \"scalars\"
  $ cat create.json
  { \"store_num\": \"1000001\", \"mode_code\": \"weixin\", \"wx_appid\": \"wx7b54f0a5769316b9\",
    \"open_id\": \"oTestOpenId0001\", \"amount\": \"0.01\", \"merchant_order_no\": \"1596004809\" }
  $ UPAAS_KEY=upaas_test_key paymux sign upaas --account upaas.toml --input create.json
  {
    \"canonical\": \"amount=0.01&merchant_order_no=1596004809&mode_code=weixin&open_id=oTestOpenId0001&store_num=1000001&wx_appid=wx7b54f0a5769316b9&key=<key>\",
    \"signature\": \"23dc0c4744627a49d13fcdb15d46ffa0\"
  }

For maqian, a query at the server API:
  $ cat maqian.toml
  merch_no = \"833651658120003\"
  pn = \"XN000003\"
  app_id = \"MQ100013\"
  app_name = \"Tea house\"
  private_key_file = \"private_key.pem\"
  agent_no = \"FW0000001\"
  access_id = \"test_accessid\"
  access_key_env = \"MAQIAN_ACCESS_KEY\"
  notify_proof = \"md5\"
  $ cat query.json
  { \"accessid\": \"test_accessid\", \"merch_no\": \"833651658120003\",
    \"out_trade_no\": \"MQ202401010001\", \"req_id\": \"20240101000000123456\" }
  $ MAQIAN_ACCESS_KEY=test_accesskey paymux sign maqian --account maqian.toml --input query.json
  {
    \"canonical\": \"accessid=test_accessid&merch_no=833651658120003&out_trade_no=MQ202401010001&req_id=20240101000000123456<key>\",
    \"signature\": \"1D4810338CC13CD1450D45570B59661F\"
  }

And for wechatpay:
  $ cat direct.toml
  kind = \"direct\"
  mchid = \"1900000109\"
  app_ids = [\"wx8888888888888888\"]
  serial_no = \"5F1C72E2A8931B72A2E13AF8DEE92471EB397115\"
  private_key_file = \"apiclient_key.pem\"
  apiv3_key_env = \"WECHATPAY_APIV3_KEY\"
  platform_keys = [{ id = \"PUB_KEY_ID_0119000001092024010100000000000001\", public_key_file = \"pub_key.pem\" }]
  $ echo '{\"method\":\"GET\",\"path\":\"/v3/certificates\",\"timestamp\":1704038400,\"nonce\":\"593BEC0C930BF1AF\"}' |
      paymux sign wechatpay --account direct.toml --input -")]
pub(super) struct SignArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// The fields as a JSON object; - for standard input.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
}

pub(super) async fn run(args: SignArgs, output: &Output) -> anyhow::Result<Exit> {
    let account = match args.account.read() {
        Ok(account) => account,
        Err(faults) => {
            output.print(&faults, &faults_json(&faults))?;
            return Ok(Exit::BadConfig);
        }
    };
    let input = read_input("--input", &args.input)?;
    let providers = account.providers;
    let workbench = providers.registry.in_force().workbench(&account.provider);
    let workbench = workbench.context("the provider has no account")?;
    let pool = SigningPool::start(PoolOptions { threads: 1, queue: 1 }, providers.signing_keys)
        .context("no thread for signing")?;
    match workbench.sign(&account.id, &input, &pool).await {
        Ok(signed) => {
            let json = signed_json(&signed);
            output.print(format!("{json:#}"), &json)?;
            Ok(Exit::Ok)
        }
        Err(SignFault::Input(faults)) => {
            output.print(fault_lines(&faults), &json!({ "faults": input_faults(&faults) }))?;
            Ok(Exit::BadInput)
        }
        Err(error) => Err(error.into()),
    }
}

fn signed_json(signed: &SignedText) -> Value {
    let mut json = json!({ "canonical": signed.canonical, "signature": signed.signature });
    if let (Some(authorization), Some(object)) = (&signed.authorization, json.as_object_mut()) {
        object.insert("authorization".to_owned(), json!(authorization));
    }
    json
}

fn fault_lines(faults: &[FieldFault]) -> String {
    let mut lines = "the input has faults:".to_owned();
    for fault in faults {
        // Writing to a string cannot fail.
        let _ok = write!(lines, "\n{}: {}", fault.field, fault.reason);
    }
    lines
}

fn input_faults(faults: &[FieldFault]) -> Vec<Value> {
    faults.iter().map(|fault| json!({ "field": fault.field, "problem": fault.reason })).collect()
}
