//! What each method needs: the one table of rights.

use super::Right;

const SUBMIT: &[Right] = &[Right::Submit];
const READ: &[Right] = &[Right::Read];
const OPERATE: &[Right] = &[Right::Operate];
/// What an operator does to an order as a platform service would; then it goes to the audit log.
const SUBMIT_OR_OPERATE: &[Right] = &[Right::Submit, Right::Operate];

/// Our own services.
const OURS: &str = "/paymux.v1.";

/// Health is for probes, which have no credentials.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Each method of our services with the rights of which a caller needs one.
const METHODS: [(&str, &[Right]); 20] = [
    ("OrderService/CreateOrder", SUBMIT),
    ("OrderService/SubmitOrders", SUBMIT),
    ("OrderService/GetOrder", READ),
    ("OrderService/ListOrders", READ),
    ("OrderService/FindOrder", READ),
    ("OrderService/ListMovements", READ),
    ("OrderService/WatchOrders", READ),
    ("OrderService/CloseOrder", SUBMIT_OR_OPERATE),
    ("OrderService/RequeryOrder", SUBMIT_OR_OPERATE),
    ("OrderService/RefundOrder", SUBMIT),
    ("OrderService/GetRefund", READ),
    ("OrderService/GetTimeline", READ),
    ("OperatorService/ListParked", OPERATE),
    ("OperatorService/ListDead", OPERATE),
    ("OperatorService/ListUnresolved", OPERATE),
    ("OperatorService/Replay", OPERATE),
    ("OperatorService/ConfirmOutcome", OPERATE),
    ("OperatorService/GetShard", OPERATE),
    ("OperatorService/GetLimits", OPERATE),
    ("OperatorService/ListMerchants", OPERATE),
];

/// What a call needs before it is let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// To be a known caller.
    Authentication,
    /// To be a known caller with one of these rights; with none listed nobody has them.
    AnyRight(&'static [Right]),
}

/// What the method at a path needs. A method of ours without a row is refused to everybody.
pub(crate) fn need_of(path: &str) -> Need {
    if path.starts_with(HEALTH) {
        return Need::Nothing;
    }
    let Some(method) = path.strip_prefix(OURS) else { return Need::Authentication };
    let row = METHODS.iter().find(|(known, _)| *known == method);
    Need::AnyRight(row.map_or(&[], |(_, rights)| *rights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_api_has_a_row_and_every_row_is_a_method() {
        let mut api: Vec<String> = paymux_proto::methods().unwrap().iter().map(|m| m.path()).collect();
        let mut rows: Vec<String> = METHODS.iter().map(|(method, _)| format!("{OURS}{method}")).collect();
        api.sort();
        rows.sort();
        assert_eq!(api, rows);
    }

    #[test]
    fn probes_need_nothing_and_everything_else_at_least_authentication() {
        assert_eq!(need_of("/grpc.health.v1.Health/Check"), Need::Nothing);
        for path in ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/", "/other.Service/Do"] {
            assert_eq!(need_of(path), Need::Authentication, "{path}");
        }
        assert_eq!(need_of("/paymux.v1.OrderService/NewMethod"), Need::AnyRight(&[]));
    }
}
