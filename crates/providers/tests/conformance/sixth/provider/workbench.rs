//! Signing and examining by hand for the sixth provider.

use paymux_domain::name::AccountId;
use paymux_domain::ports::{BoxFuture, Provider as _, RawNotification, Signer};
use paymux_domain::time::Timestamp;
use paymux_providers::workbench::{Check, Examination, Finding, SignFault, SignedText, Workbench};

use super::Sixth;

impl Workbench for Sixth {
    fn sign<'a>(
        &'a self,
        account: &'a AccountId,
        input: &'a [u8],
        _: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<SignedText, SignFault>> {
        let known = self.accounts.get(account);
        let known = known.ok_or_else(|| SignFault::UnknownAccount(account.clone()));
        let signed = known.map(|known| SignedText {
            canonical: String::from_utf8_lossy(&super::text(0, "sign", input)).into_owned(),
            signature: known.seal(0, "sign", input),
            authorization: None,
        });
        Box::pin(async move { signed })
    }

    fn examine(&self, account: &AccountId, raw: &RawNotification, now: Timestamp) -> Option<Examination> {
        self.accounts.get(account)?;
        let verdict = self.verify(raw, now);
        let (finding, detail) = match &verdict {
            Ok(_) => (Finding::Passed, String::new()),
            Err(refusal) => (Finding::Failed, refusal.to_string()),
        };
        Some(Examination { checks: vec![Check { name: "seal", finding, detail }], said: None, verdict })
    }
}
