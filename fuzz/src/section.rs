//! Sections of accounts: `PROVIDER`, a blank line, TOML.

use paymux_domain::time::ClockFactor;
use paymux_providers::Accounts;

use crate::accounts;
use crate::framing::Framed;

/// Whatever stands in an account's section is taken or refused without a panic, and each fault names the account.
#[must_use]
pub fn section(data: &[u8]) -> bool {
    let Some(section) = accounts::section(&Framed::of(data), "shop") else { return false };
    let account = section.account.clone();
    match Accounts::read(&[section], &accounts::secret, ClockFactor::REAL) {
        Ok(accounts) => {
            assert!(accounts.account(&account).is_some(), "what is taken is there");
            true
        }
        Err(faults) => {
            assert!(!faults.is_empty(), "a refusal without a reason");
            assert!(faults.iter().all(|fault| fault.account == account && !fault.reason.is_empty()));
            false
        }
    }
}
