//! `config example`: every key with its meaning, what is allowed and its default. It passes `config check` itself, and
//! so does the example of a merchant file.

use std::fmt::Write as _;

use paymux_providers::{PROVIDERS, Registration};

use super::schema::{self, Absent, Key};

/// Longest line of a comment.
const COMMENT_CHARS_MAX: usize = 110;
/// The provider whose account stands in the example; those of the others are commented out.
const SHOWN: &str = "wechatpay";

/// The example, made from the schema.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# Configuration of paymux. Every key is here; a key that is commented out has the value shown as default.\n\
         # Order of precedence: --set KEY=VALUE, environment (PAYMUX__SERVER__GRPC_LISTEN), this file, defaults.\n\
         # Check it with: paymux config check --config FILE\n\n",
    );
    section(&mut text, "", schema::TOP);
    section(&mut text, "[server]", schema::SERVER);
    optional_section(&mut text, "[server.grpc_tls]", "TLS for gRPC.", schema::GRPC_TLS);
    optional_section(&mut text, "[server.notify_tls]", "TLS for notifications.", schema::NOTIFY_TLS);
    section(&mut text, "[access]", schema::ACCESS);
    let callers = "One section for each caller, under its name. Without any, whoever reaches the port may do \
                   everything. `paymux caller key checkout` makes a key.";
    optional_section(&mut text, "[callers.checkout]", callers, schema::CALLER);
    section(&mut text, "[backend]", schema::BACKEND);
    cluster(&mut text);
    section(&mut text, "[ingest]", schema::INGEST);
    section(&mut text, "[engine]", schema::ENGINE);
    let groups = "One section for each shard group that is too big for one worker, under its name.";
    optional_section(&mut text, "[shard_groups.group-1]", groups, schema::SHARD_GROUP);
    account_and_merchant(&mut text);
    text
}

/// The sections of kind = "cluster".
fn cluster(text: &mut String) {
    let log = "The log of kind = \"cluster\".";
    let login = "The user of the store.";
    optional_section(text, "[backend.kafka]", log, schema::KAFKA);
    optional_section(text, "[backend.kafka.topics]", "What its topics are made with.", schema::TOPICS);
    optional_section(text, "[backend.kafka.tls]", "TLS towards the brokers.", schema::KAFKA_TLS);
    optional_section(text, "[backend.kafka.sasl]", "The user of the log.", schema::SASL);
    optional_section(text, "[backend.cql]", "The store of kind = \"cluster\".", schema::CQL);
    optional_section(text, "[backend.cql.tls]", "TLS towards the nodes.", schema::CQL_TLS);
    optional_section(text, "[backend.cql.login]", login, schema::CQL_LOGIN);
}

/// One file for `merchants_dir`: an account and its merchant.
#[must_use]
pub fn merchant_file_example() -> String {
    let mut text = String::from(
        "# A file of merchants_dir. It may hold any number of [accounts.NAME] and [merchants.ID] sections; a merchant may\n\
         # use accounts of other files. Paths are relative to the folder of this file.\n\
         # Put a new file in place with a rename, so that nobody reads half of it.\n\n",
    );
    account_and_merchant(&mut text);
    text
}

fn account_and_merchant(text: &mut String) {
    section(text, "[accounts.wechat-direct]", schema::ACCOUNT);
    for registration in PROVIDERS.iter().filter(|known| known.name == SHOWN) {
        text.push_str("# Keys of the provider itself; paths are relative to the folder of this file:\n");
        text.push_str(registration.example);
        text.push('\n');
    }
    section(text, "[accounts.wechat-direct.budgets]", schema::BUDGETS);
    for registration in PROVIDERS.iter().filter(|known| known.name != SHOWN) {
        account_of(text, registration);
    }
    section(text, "[merchants.tea-house]", schema::MERCHANT);
    section(text, "[[merchants.tea-house.routes]]", schema::ROUTE);
}

/// A section that need not be there: every line of it has one more # in front.
fn optional_section(text: &mut String, header: &str, meaning: &str, keys: &[Key]) {
    comment(text, &format!("{meaning} To use it, remove the first # of each line:"));
    let mut shown = String::new();
    section(&mut shown, header, keys);
    for line in shown.lines() {
        let hash = if line.is_empty() { "" } else { "#" };
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "{hash}{line}");
    }
}

/// An account at another provider. The keys that all accounts have stand in the one that is shown.
fn account_of(text: &mut String, registration: &Registration) {
    let name = registration.name;
    // Writing to a string cannot fail.
    let _ok = writeln!(text, "# An account at {name} instead, or beside it, with the keys of that provider:");
    let _ok = writeln!(text, "#   [accounts.{name}]\n#   provider = \"{name}\"");
    for line in registration.example.lines() {
        let _ok = writeln!(text, "#   {line}");
    }
    text.push('\n');
}

fn section(text: &mut String, header: &str, keys: &[Key]) {
    if !header.is_empty() {
        text.push_str(header);
        text.push('\n');
    }
    for key in keys {
        let meaning = match key.absent {
            Absent::Default(_) => format!("{} Allowed: {}.", key.meaning, key.kind.allowed()),
            Absent::Optional(_) => format!("{} Optional. Allowed: {}.", key.meaning, key.kind.allowed()),
            Absent::Required(_) => format!("{} Required. Allowed: {}.", key.meaning, key.kind.allowed()),
        };
        comment(text, &meaning);
        let (hash, value) = match key.absent {
            Absent::Default(value) | Absent::Optional(value) => ("# ", value),
            Absent::Required(value) => ("", value),
        };
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "{hash}{} = {value}", key.name);
    }
    text.push('\n');
}

fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > COMMENT_CHARS_MAX {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
