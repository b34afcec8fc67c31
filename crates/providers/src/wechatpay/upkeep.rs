//! The download of platform certificates as a chore: once for each merchant number, whichever accounts share it.

use std::collections::BTreeMap;

use paymux_domain::http::{HttpRequest, HttpResponse};
use paymux_domain::ports::{BoxFuture, BuildError, Signer};
use paymux_domain::time::Timestamp;

use super::client::Wechatpay;
use super::{certificates, request};
use crate::upkeep::{Moment, Task, Upkeep};

impl Upkeep for Wechatpay {
    fn tasks(&self) -> Vec<Task> {
        let mut tasks: BTreeMap<&str, Task> = BTreeMap::new();
        for account in self.accounts() {
            let Some((trust, period)) = &account.downloads else { continue };
            let task = || Task { chore: trust.chore.clone(), account: account.id.clone(), period: *period };
            let task = tasks.entry(trust.chore.name()).or_insert_with(task);
            task.period = task.period.min(*period);
        }
        tasks.into_values().collect()
    }

    fn build<'a>(
        &'a self,
        task: &'a Task,
        moment: Moment,
        signer: &'a dyn Signer,
    ) -> BoxFuture<'a, Result<HttpRequest, BuildError>> {
        Box::pin(async move {
            let account = self.account(&task.account);
            let account = account.ok_or_else(|| BuildError::UnknownAccount(task.account.clone()))?;
            request::certificates(account, moment, signer).await
        })
    }

    fn take(&self, task: &Task, response: &HttpResponse, now: Timestamp) -> Result<String, String> {
        let account = self.account(&task.account).ok_or("the account is not configured any more")?;
        let trust = account.trust().ok_or("the account downloads no certificates any more")?;
        let keys = certificates::read(account, response, now, self.skew_max())?;
        let serials: Vec<&str> = keys.keys().map(String::as_str).collect();
        let told = format!("in force: {}", serials.join(", "));
        trust.learn(keys);
        Ok(told)
    }

    fn give_up(&self, task: &Task) {
        if let Some(trust) = self.account(&task.account).and_then(|account| account.trust()) {
            trust.settle();
        }
    }
}
