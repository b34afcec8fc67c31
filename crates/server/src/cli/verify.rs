//! `paymux verify`: every check of a notification, for integrators and for whoever wonders why one was refused.

mod told;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use paymux_domain::ports::{Clock as _, Entropy as _, RawNotification};
use paymux_domain::time::{ClockFactor, Timestamp};
use paymux_providers::http::Transport;
use paymux_providers::signing::PoolOptions;
use paymux_providers::upkeep::{Ended, Moment};
use paymux_providers::{Gateway, SigningPool};
use serde_json::json;

use super::account::{AccountArgs, read_input};
use super::config_cmd::faults_json;
use super::{Exit, Output};
use crate::clock::{ScaledClock, SystemEntropy};
use crate::config::{ClockConfig, Providers};

/// The merchant that the URL would name: whose a notification is follows from the account here.
const NOBODY: &str = "verify";

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Makes every check that can be made and tells each: passed, failed or not reached. What it says is told even where it is
not proven. The last line is what the engine makes of it.

Headers are read as they stand in a log or a curl -i: a line for each, NAME: VALUE; a first line without a colon before
its first blank (POST /notify/... HTTP/1.1) and empty lines are passed over. The body counts byte for byte: an editor
that puts a line break at its end breaks the signature.

Exit codes: 0 the engine would take it; 1 a file cannot be read; 2 wrong usage; 3 the engine would refuse it; 64 the
account has faults; 65 the headers cannot be read.

A whole example, for payjs:
  $ cat shop.toml
  mchid = \"123456\"
  key_env = \"PAYJS_KEY\"
  $ printf %s 'mchid=123456&out_trade_no=T1&payjs_order_id=2019101503054900456615858&' \\
      'return_code=1&total_fee=1&sign=B5574D311E596AA4FAB536D4ADED2194' > body
  $ PAYJS_KEY=xxxxxx paymux verify payjs --account shop.toml --body body
  size        passed       133 bytes, at most 65536 are allowed
  form        passed       6 fields
  merchant    passed       mchid is the account's
  signature   passed       made with the key
  text        passed       the signed text can be read in one way only
  content     passed       about T1
  says        T1: paid 2019101503054900456615858, 0.01 CNY
  verdict     the engine takes it

For xorpay:
  $ cat xorpay.toml
  aid = \"15627\"
  app_secret_env = \"XORPAY_APP_SECRET\"
  $ printf %s 'aoid=0123456789abcdef0123456789abcdef&order_id=T1x&pay_price=50.00&' \\
      'pay_time=2019-01-01+00%3A00%3A00&sign=b28d85506918ed1203357edc7060a97f' > body
  $ XORPAY_APP_SECRET=xxxxxx paymux verify xorpay --account xorpay.toml --body body
  size        passed       137 bytes, at most 65536 are allowed
  form        passed       5 fields
  signature   passed       made with the app secret
  text        passed       can be cut in one way only: about T1
  says        T1: paid 0123456789abcdef0123456789abcdef, 50.00 CNY
  verdict     the engine takes it

For upaas, of an account that names the form of notifications:
  $ cat upaas.toml
  store_num = \"1000001\"
  key_env = \"UPAAS_KEY\"
  notification.sign = \"scalars\"
  $ printf %s '{\"amount\":\"0.01\",\"merchant_order_no\":\"1596004809\",\"order_number\":' \\
      '\"32007292020124037464368222208\",\"store_num\":\"1000001\",\"sign\":' \\
      '\"c050b706d2619fd8c0775e10eb3db72d\"}' > body
  $ UPAAS_KEY=upaas_test_key paymux verify upaas --account upaas.toml --body body
  size        passed       161 bytes, at most 65536 are allowed
  settings    passed       the account names the form of notifications
  form        passed       5 fields
  store       passed       store_num is the account's
  signature   passed       made with the key
  text        passed       the signed text can be read in one way only
  content     passed       about 1596004809
  says        1596004809: paid 32007292020124037464368222208, 0.01 CNY
  verdict     the engine takes it

For maqian:
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
  $ printf %s '{\"merch_no\":\"833651658120003\",\"out_trade_no\":\"T1\",\"total_amount\":\"0.01\",' \\
      '\"trade_no\":\"ALI240101000000000000001\",\"trade_status\":\"1\",' \\
      '\"sign\":\"B4BBE13525880B85BC6F67A7572010C2\"}' > body
  $ MAQIAN_ACCESS_KEY=test_accesskey paymux verify maqian --account maqian.toml --body body
  size        passed       171 bytes, at most 65536 are allowed
  json        passed       6 fields
  merchant    passed       merch_no is the account's
  signature   passed       MD5 made with a key of the account
  text        passed       the signed text can be read in one way only
  content     passed       about T1
  says        T1: paid ALI240101000000000000001, 0.01 CNY
  verdict     the engine takes it

And for wechatpay, whose headers count, as if it had been received then:
  $ paymux verify wechatpay --account direct.toml --headers headers --body body --at 2024-01-01T00:01:03+08:00
  $ paymux verify wechatpay --account paymux.toml --name direct --header 'Wechatpay-Nonce: c5ac' --body - --output json")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    account: AccountArgs,
    /// A file with the headers.
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// One more header; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The body, byte for byte; - for standard input.
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// When it was received, as RFC 3339 or in seconds since 1970; absent: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// First download what the account downloads by itself when it serves: for wechatpay the platform certificates.
    #[arg(long)]
    download: bool,
}

pub(super) async fn run(args: &VerifyArgs, output: &Output) -> anyhow::Result<Exit> {
    let account = match args.account.read() {
        Ok(account) => account,
        Err(faults) => {
            output.print(&faults, &faults_json(&faults))?;
            return Ok(Exit::BadConfig);
        }
    };
    let mut headers = args.header.clone();
    if let Some(path) = &args.headers {
        match read_headers(&read_input("--headers", path)?) {
            Ok(read) => headers.extend(read),
            Err(faults) => {
                let json: Vec<_> =
                    faults.iter().map(|fault| json!({ "field": "headers", "problem": fault })).collect();
                output.print(
                    format!("the headers have faults:\n{}", faults.join("\n")),
                    &json!({ "faults": json }),
                )?;
                return Ok(Exit::BadInput);
            }
        }
    }
    let body = read_input("--body", &args.body)?;
    let merchant_id = NOBODY.parse().context("no name of a merchant")?;
    let raw = RawNotification { merchant_id, accounts: Vec::new(), headers, body };
    let clock = ScaledClock::new(ClockConfig { factor: ClockFactor::REAL, origin_ms: None });
    let now = args.at.unwrap_or_else(|| clock.now());
    if args.download {
        download(&account.providers, clock.now()).await?;
    }
    let workbench = account.providers.registry.in_force().workbench(&account.provider);
    let examination = workbench.and_then(|workbench| workbench.examine(&account.id, &raw, now));
    let examination = examination.context("the provider has no account")?;
    output.print(told::text(&examination), &told::json(&examination))?;
    Ok(if examination.verdict.is_ok() { Exit::Ok } else { Exit::Refused })
}

/// Fetches, once, what the account needs beside its file.
async fn download(providers: &Providers, now: Timestamp) -> anyhow::Result<()> {
    let keys = providers.signing_keys.clone();
    let pool =
        SigningPool::start(PoolOptions { threads: 1, queue: 1 }, keys).context("no thread for signing")?;
    let gateway = Gateway::new(Arc::clone(&providers.registry), Arc::new(pool), Transport::new()?);
    let entropy = SystemEntropy::from_system();
    let all = gateway.due();
    anyhow::ensure!(!all.is_empty(), "--download: the account downloads nothing");
    for due in all {
        let moment = Moment { now, nonce: [entropy.next_u64(), entropy.next_u64()] };
        let (ended, told) = gateway.fetch(&due, moment).await;
        anyhow::ensure!(ended == Ended::Done, "--download: {}: {told}", due.name());
    }
    Ok(())
}

fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or("must be NAME: VALUE")?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be NAME: VALUE".to_owned());
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

/// The headers, or every line that is none.
fn read_headers(bytes: &[u8]) -> Result<Vec<(String, String)>, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["are not UTF-8".to_owned()])?;
    let is_start = |line: &str| line.split(' ').next().is_some_and(|word| !word.contains(':'));
    let (mut headers, mut faults) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || at == 0 && line.contains(' ') && is_start(line) {
            continue;
        }
        match header(line) {
            Ok(header) => headers.push(header),
            Err(problem) => faults.push(format!("line {}: {problem}", at + 1)),
        }
    }
    if faults.is_empty() { Ok(headers) } else { Err(faults) }
}

fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Timestamp::from_millis(seconds.saturating_mul(1000)));
    }
    let time: jiff::Timestamp =
        text.parse().map_err(|_| "must be RFC 3339 or seconds since 1970".to_owned())?;
    Ok(Timestamp::from_millis(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_logs_and_curl_show_them() {
        let text = b"POST /notify/wechatpay/m1 HTTP/1.1\r\nHost: pay.example.com:443\r\nWechatpay-Nonce:c5ac\r\n\r\n";
        let read = read_headers(text).unwrap();
        let expected = [("host", "pay.example.com:443"), ("wechatpay-nonce", "c5ac")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let faults = read_headers(b"Host: a\nno header\n: b\n").unwrap_err();
        assert_eq!(faults, ["line 2: must be NAME: VALUE", "line 3: must be NAME: VALUE"]);
        assert!(read_headers(b"\xff").is_err());
    }

    #[test]
    fn a_time_is_read_in_both_forms() {
        assert_eq!(time("2024-01-01T00:01:01+08:00"), time("1704038461"));
        assert!(time("yesterday").is_err());
    }
}
