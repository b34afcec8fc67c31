//! The three products and how an order fits one: its path, the payer's app, the shop, the scene.

use paymux_domain::command::Created;

use super::config::{Account, Kind};
use super::options::{Options, PayerScope};
use super::wire::{SceneInfo, StoreInfo};

/// Methods of a direct account.
pub(super) const DIRECT_METHODS: &[&str] = &["jsapi"];
/// Methods of a partner's account.
pub(super) const PARTNER_METHODS: &[&str] = &["partner_jsapi", "scannedpos"];

/// What is ordered at WeChat Pay (`providers.md` section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// JSAPI of a direct merchant.
    Jsapi,
    /// JSAPI of a partner.
    PartnerJsapi,
    /// Pay at a shop with an amount that the payer types; partners only.
    Scannedpos,
}

impl Product {
    /// The product of a method.
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            "jsapi" => Some(Self::Jsapi),
            "partner_jsapi" => Some(Self::PartnerJsapi),
            "scannedpos" => Some(Self::Scannedpos),
            _ => None,
        }
    }

    /// Path of its create.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Jsapi => "/v3/pay/transactions/jsapi",
            Self::PartnerJsapi => "/v3/pay/partner/transactions/jsapi",
            Self::Scannedpos => "/v3/pay/partner/transactions/scannedpos",
        }
    }

    /// Whether an account of that kind may order it.
    pub(super) const fn fits(self, kind: &Kind) -> bool {
        match kind {
            Kind::Direct { .. } => matches!(self, Self::Jsapi),
            Kind::Partner { .. } => matches!(self, Self::PartnerJsapi | Self::Scannedpos),
        }
    }
}

/// A field that an order lacks or has wrong, by its path in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) field: &'static str,
    pub(super) reason: &'static str,
}

/// The app in which the payer pays; it also signs the launch (`providers.md` section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PayerApp<'a> {
    pub(super) app_id: &'a str,
    pub(super) scope: PayerScope,
}

/// The payer's app as it was resolved, whatever has become of the account's apps since. Of an order whose app stands
/// nowhere, the account's.
pub(super) fn payer_app<'a>(
    account: &'a Account,
    created: &'a Created,
    options: &Options,
) -> Result<PayerApp<'a>, Misfit> {
    let scope = match &account.kind {
        Kind::Direct { .. } => Some(PayerScope::Partner),
        Kind::Partner { .. } => options.payer_scope,
    };
    match (created.payer.app_id.as_deref(), scope) {
        (Some(app_id), Some(scope)) => Ok(PayerApp { app_id, scope }),
        _ => chosen_app(account, created, options),
    }
}

/// Finds the payer's app among the account's.
pub(super) fn chosen_app<'a>(
    account: &'a Account,
    created: &Created,
    options: &Options,
) -> Result<PayerApp<'a>, Misfit> {
    let unknown = Misfit { field: "payer.app_id", reason: "must be an app of the merchant's account" };
    let choices =
        [(PayerScope::Partner, account.app_ids.as_slice()), (PayerScope::SubMerchant, account.sub_app_ids())];
    let wanted = |scope: PayerScope| options.payer_scope.is_none_or(|wanted| wanted == scope);
    let mut allowed = choices.into_iter().filter(|(scope, _)| wanted(*scope));
    let found = match created.payer.app_id.as_deref() {
        Some(app_id) => allowed.find_map(|(scope, apps)| {
            apps.iter().find(|known| *known == app_id).map(|app_id| PayerApp { app_id, scope })
        }),
        None => allowed.find_map(|(scope, apps)| apps.first().map(|app_id| PayerApp { app_id, scope })),
    };
    found.ok_or(unknown)
}

/// The scene. Scannedpos demands it; JSAPI has one where the payer's address is known.
pub(super) fn scene<'a>(
    account: &'a Account,
    created: &'a Created,
    product: Product,
    options: &'a Options,
) -> Result<Option<SceneInfo<'a>>, Misfit> {
    let store_info = store(account, product, options)?;
    let device_id = options.device_id.as_deref();
    match client_ip(created, product, options)? {
        Some(payer_client_ip) => Ok(Some(SceneInfo { payer_client_ip, device_id, store_info })),
        None => Ok(None),
    }
}

/// The payer's address, which a scene always has.
pub(super) fn client_ip<'a>(
    created: &'a Created,
    product: Product,
    options: &Options,
) -> Result<Option<&'a str>, Misfit> {
    let is_demanded =
        product == Product::Scannedpos || options.store_info.is_some() || options.device_id.is_some();
    match created.payer.client_ip.as_deref() {
        None if is_demanded => Err(Misfit {
            field: "payer.client_ip",
            reason: "is demanded with scannedpos, a shop or a device",
        }),
        client_ip => Ok(client_ip),
    }
}

/// The shop: of the order, or for scannedpos else of the account.
pub(super) fn store<'a>(
    account: &'a Account,
    product: Product,
    options: &'a Options,
) -> Result<Option<&'a StoreInfo>, Misfit> {
    let misfit = |reason| Err(Misfit { field: "wechatpay.store", reason });
    let given = options.store_info.as_ref();
    match product {
        Product::Scannedpos => match given.or(account.store.as_ref()) {
            Some(store) if store.name.is_some() || store.area_code.is_some() || store.address.is_some() => {
                misfit("scannedpos takes id or out_id alone")
            }
            Some(store) if store.id.is_some() != store.out_id.is_some() => Ok(Some(store)),
            Some(_) => misfit("scannedpos takes either id or out_id"),
            None => misfit("is demanded by scannedpos, since the account has no shop"),
        },
        Product::Jsapi | Product::PartnerJsapi => match given {
            Some(store) if store.out_id.is_some() => misfit("out_id is taken by scannedpos alone"),
            Some(store) if store.id.is_none() => misfit("id is demanded"),
            given => Ok(given),
        },
    }
}
