//! The search: whether a datum stands in a text, in any of the spellings in which it may have got there.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Characters of a line that are shown around a find.
const SHOWN_CHARS: usize = 200;

/// Something that must not be seen.
#[derive(Clone, Debug)]
pub(super) struct Datum {
    pub(super) name: &'static str,
    pub(super) text: String,
}

impl Datum {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}

/// What was written somewhere.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    pub(super) name: String,
    pub(super) text: String,
}

/// A datum in one spelling.
struct Spelling {
    name: &'static str,
    text: String,
}

fn spellings(text: &str) -> Vec<Spelling> {
    let bytes = text.as_bytes().iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut all = vec![
        Spelling { name: "clear", text: text.to_owned() },
        Spelling { name: "hex", text: hex::encode(text) },
        Spelling { name: "bytes", text: bytes },
    ];
    let escaped = percent(text);
    if escaped != text {
        all.push(Spelling { name: "percent", text: escaped });
    }
    for before in 0..3 {
        all.push(Spelling { name: "base64", text: base64_within(&STANDARD, text, before) });
        all.push(Spelling { name: "base64", text: base64_within(&URL_SAFE, text, before) });
    }
    all
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("text grows");
        }
        out
    })
}

/// The characters that stand for the text alone, whatever is around it, when so many bytes (of three) go before it.
fn base64_within(alphabet: &impl base64::Engine, text: &str, before: usize) -> String {
    let padded = [vec![0; before], text.as_bytes().to_vec()].concat();
    let encoded = alphabet.encode(&padded);
    let end = padded.len() / 3 * 4;
    encoded[(before * 8).div_ceil(6)..end].to_owned()
}

/// Every datum that stands in a text, with its spelling and the place; never the datum itself.
pub(super) fn finds(witnesses: &[Witness], data: &[Datum]) -> Vec<String> {
    let mut finds = Vec::new();
    for Witness { name, text } in witnesses {
        let folded = text.to_ascii_lowercase();
        for datum in data {
            for Spelling { name: spelling, text: wanted } in spellings(&datum.text) {
                // Hexadecimal digits are written in both cases.
                let (hay, wanted) =
                    if spelling == "hex" { (&folded, wanted.to_ascii_lowercase()) } else { (text, wanted) };
                if let Some(at) = hay.find(&wanted) {
                    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
                    let shown: String = text[line..at].chars().take(SHOWN_CHARS).collect();
                    finds.push(format!("{} as {spelling} in {name}, behind: {shown}", datum.name));
                }
            }
        }
    }
    finds
}

#[test]
fn the_search_finds_every_datum_in_every_spelling() {
    let data = [
        Datum::new("key", "k3y-with/odd+chars="),
        Datum::new("address", "198.51.100.77"),
        Datum::new("id", "oHiddenPayer00001"),
    ];
    for datum in &data {
        let text = &datum.text;
        for noise in ["", "a", "ab", "abc"] {
            let within = format!("{noise}{text}{noise}");
            let seen = [
                within.clone(),
                STANDARD.encode(&within),
                URL_SAFE.encode(&within),
                hex::encode(&within),
                hex::encode_upper(&within),
                format!("{:?}", within.as_bytes()),
                percent(&within),
            ];
            for seen in seen {
                let witness = Witness { name: "noise".to_owned(), text: format!("before\n{seen}\nafter") };
                assert!(!finds(&[witness], &data).is_empty(), "{} in {seen}", datum.name);
            }
        }
    }
    let nothing =
        Witness { name: "noise".to_owned(), text: "nothing of it is here: a2V5 198.51.100".to_owned() };
    assert_eq!(finds(&[nothing], &data), Vec::<String>::new());
}
