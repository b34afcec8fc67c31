//! The fields that are to be signed, read from a JSON object: every fault is found, none stops the reading.

use paymux_domain::ports::FieldFault;
use serde_json::Value;

use super::SignFault;
use crate::faults::Faults;
use crate::json::{FIELDS_MAX, Object};

/// The name under which faults of the whole input stand.
const WHOLE: &str = "(input)";

/// Fields in the order in which they stand. A field that is read is taken out. It has no `Debug`: fields may hold
/// personal data.
pub(crate) struct Input {
    fields: Vec<(String, Value)>,
    faults: Faults,
}

impl Input {
    /// Reads a JSON object. A name that stands in it twice is a fault.
    pub(crate) fn read(json: &[u8]) -> Result<Self, SignFault> {
        let object: Object<Value> = serde_json::from_slice(json).map_err(|error| {
            // The parser's own words may repeat a value.
            whole(format!(
                "must be a JSON object, breaks off at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        if object.count > FIELDS_MAX {
            return Err(whole(format!("has {} fields, at most {FIELDS_MAX} are allowed", object.count)));
        }
        let mut input = Self { fields: Vec::new(), faults: Faults::default() };
        for (name, value) in object.fields {
            if input.holds(&name) {
                input.faults.add(&name, "stands there twice");
            } else {
                input.fields.push((name, value));
            }
        }
        Ok(input)
    }

    /// Whether a field is there and not yet taken.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Whether one of these fields is there.
    pub(crate) fn holds_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.holds(name))
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, field: &str, reason: impl Into<String>) {
        self.faults.add(field, reason);
    }

    /// The faults, for checks that note their own.
    pub(crate) fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// A field that may be absent; a whole number counts as its digits.
    pub(crate) fn optional(&mut self, name: &str) -> Option<String> {
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        match self.fields.remove(at).1 {
            Value::String(text) => Some(text),
            Value::Number(number) if number.is_u64() => Some(number.to_string()),
            _ => {
                self.fault(name, "must be a text or a whole number");
                None
            }
        }
    }

    /// A field that may be absent and is JSON of its own: its text, without blanks and sorted by name, or a text as it is.
    pub(crate) fn nested(&mut self, name: &str) -> Option<String> {
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        Some(match self.fields.remove(at).1 {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// A field that must be there. `allowed` says in words what `is_valid` takes.
    pub(crate) fn required(
        &mut self,
        name: &str,
        allowed: &str,
        is_valid: impl Fn(&str) -> bool,
    ) -> Option<String> {
        if !self.holds(name) {
            self.fault(name, format!("is missing; must be {allowed}"));
            return None;
        }
        let text = self.optional(name)?;
        if !is_valid(&text) {
            self.fault(name, format!("must be {allowed}"));
            return None;
        }
        Some(text)
    }

    /// Ends the reading with what was made of the fields: what is left over is unknown, and nothing may fail in silence.
    pub(crate) fn finish<T>(mut self, known: &str, made: Option<T>) -> Result<T, SignFault> {
        for (name, _) in std::mem::take(&mut self.fields) {
            self.fault(&name, format!("unknown field; {known}"));
        }
        let faults = self.faults.into_vec();
        match made {
            Some(made) if faults.is_empty() => Ok(made),
            None if faults.is_empty() => Err(whole("cannot be used, and no field of it says why".to_owned())),
            _ => Err(SignFault::Input(faults)),
        }
    }
}

fn whole(reason: String) -> SignFault {
    SignFault::Input(vec![FieldFault { field: WHOLE.to_owned(), reason }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str, read: impl FnOnce(&mut Input)) -> Vec<String> {
        let ended = Input::read(json.as_bytes()).and_then(|mut input| {
            read(&mut input);
            input.finish("there is a and b", Some(()))
        });
        match ended {
            Ok(()) => Vec::new(),
            Err(SignFault::Input(faults)) => {
                faults.iter().map(|fault| format!("{}: {}", fault.field, fault.reason)).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn texts_and_whole_numbers_are_read() {
        let found = faults(r#"{"a":"x","b":12}"#, |input| {
            assert!(input.holds_any(&["c", "a"]) && !input.holds_any(&["c"]));
            assert_eq!(input.required("a", "x", |text| text == "x").as_deref(), Some("x"));
            assert_eq!(input.optional("b").as_deref(), Some("12"));
            assert_eq!(input.optional("c"), None);
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_found_at_once() {
        let found = faults(r#"{"a":1.5,"b":"no","a":2,"x":true,"y":null}"#, |input| {
            assert_eq!(input.optional("a"), None);
            assert_eq!(input.required("b", "yes", |text| text == "yes"), None);
            assert_eq!(input.required("c", "a word", |_| true), None);
        });
        insta::assert_snapshot!(found.join("\n"), @r"
        a: stands there twice
        a: must be a text or a whole number
        b: must be yes
        c: is missing; must be a word
        x: unknown field; there is a and b
        y: unknown field; there is a and b
        ");
    }

    #[test]
    fn what_is_no_object_is_told_without_its_content() {
        for bad in ["", "[]", "\"secret\"", "{\"a\":\n secret}"] {
            let found = faults(bad, |_| {});
            assert!(found[0].starts_with("(input): must be a JSON object"), "{found:?}");
            assert!(!found[0].contains("secret"), "{found:?}");
        }
        let many = (0..=FIELDS_MAX).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(",");
        assert_eq!(
            faults(&format!("{{{many}}}"), |_| {}),
            ["(input): has 65 fields, at most 64 are allowed"]
        );
    }
}
