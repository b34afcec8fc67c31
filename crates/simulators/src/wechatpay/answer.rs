//! Answers: the error table, and the ways in which an answer leaves or fails to leave.

use serde::Serialize;

use super::schema::BadField;

/// A refusal as the provider words it: `{code, message, detail?}` with an HTTP status, and the number at the
/// end of the `Request-ID` header that the provider's support reads (0 where none is published).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) number: u32,
    pub(crate) detail: Option<BadField>,
}

impl ApiError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), number: 0, detail: None }
    }

    fn numbered(self, number: u32) -> Self {
        Self { number, ..self }
    }

    pub(crate) fn param(bad: BadField) -> Self {
        let number = if bad.issue == "unknown parameter" { 270_924_358 } else { 0 };
        let error = Self::new(400, "PARAM_ERROR", "参数错误").numbered(number);
        Self { detail: Some(bad), ..error }
    }

    pub(crate) fn refused() -> Self {
        Self::new(400, "PARAM_ERROR", "参数错误")
    }

    pub(crate) fn sign(message: &str) -> Self {
        Self::new(401, "SIGN_ERROR", message)
    }

    pub(crate) fn no_auth(message: &str) -> Self {
        Self::new(403, "NO_AUTH", message)
    }

    pub(crate) fn appid_mismatch() -> Self {
        Self::new(400, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配").numbered(268_445_527)
    }

    /// A repeat with other parameters.
    pub(crate) fn reentry() -> Self {
        Self::new(400, "INVALID_REQUEST", "请求重入时参数不一致").numbered(268_498_688)
    }

    /// Status and code `[assumed]`: only the number at the end of Request-ID is known of this refusal.
    pub(crate) fn sub_merchant_mismatch() -> Self {
        Self::new(400, "INVALID_REQUEST", "sub_mchid与订单不一致").numbered(268_447_845)
    }

    pub(crate) fn order_paid() -> Self {
        Self::new(400, "ORDER_PAID", "该订单已支付").numbered(268_449_538)
    }

    pub(crate) fn order_closed() -> Self {
        Self::new(400, "ORDER_CLOSED", "订单已关闭").numbered(268_447_914)
    }

    pub(crate) fn not_exist() -> Self {
        Self::new(404, "ORDER_NOT_EXIST", "订单不存在").numbered(268_512_771)
    }

    /// A close within five minutes of the create; status and code `[assumed]`.
    pub(crate) fn too_early() -> Self {
        Self::new(403, "RULE_LIMIT", "订单生成后5分钟内不能关单")
    }

    /// An order that does not exist or is not paid, or a refund that does not exist (the provider's page on
    /// refunds).
    pub(crate) fn resource_not_exists() -> Self {
        Self::new(404, "RESOURCE_NOT_EXISTS", "订单或退款单不存在，未支付的订单不能退款")
    }

    /// A merchant without platform certificates, status and code `[assumed]`.
    pub(crate) fn no_certificate() -> Self {
        Self::new(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")
    }

    /// A refund against the rules of sums, counts and times.
    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(400, "INVALID_REQUEST", message)
    }

    /// The merchant's balance does not suffice for a refund.
    pub(crate) fn not_enough() -> Self {
        Self::new(403, "NOT_ENOUGH", "商户可用退款余额不足")
    }

    pub(crate) fn throttled() -> Self {
        Self::new(429, "FREQUENCY_LIMITED", "频率超限").numbered(268_447_840)
    }

    pub(crate) fn system(message: impl Into<String>) -> Self {
        Self::new(500, "SYSTEM_ERROR", message)
    }

    pub(crate) fn fault() -> Self {
        Self::system("系统异常，请用相同参数重新调用")
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<ErrorDetail<'a>>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    field: &'a str,
    issue: &'a str,
    location: &'a str,
}

/// How an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Signed by the platform.
    Signed,
    /// Under the platform's serial, signed by a stranger.
    SignedByStranger,
    /// Under the platform's serial, with a signature that must not verify.
    Probe,
    /// An HTML page without signature headers.
    Garbage,
    /// Well signed, but the connection breaks off in the middle of the body.
    Truncated,
    /// Not at all: the connection is cut.
    Cut,
}

/// An answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) number: u32,
    pub(crate) manner: Manner,
    /// Whether the connection is held for the hang time first.
    pub(crate) hangs: bool,
}

impl Reply {
    /// 200 with a JSON body.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status: 200, body, number: 0, manner: Manner::Signed, hangs: false },
            Err(error) => ApiError::system(error.to_string()).into(),
        }
    }

    /// 204 without a body.
    pub(crate) fn no_content() -> Self {
        Self { status: 204, body: Vec::new(), number: 0, manner: Manner::Signed, hangs: false }
    }

    /// No answer: the connection is cut.
    pub(crate) fn cut() -> Self {
        Self { manner: Manner::Cut, ..Self::no_content() }
    }

    pub(crate) fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    pub(crate) fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        let detail = error.detail.as_ref();
        let body = ErrorBody {
            code: error.code,
            message: &error.message,
            detail: detail.map(|bad| ErrorDetail { field: &bad.field, issue: &bad.issue, location: "body" }),
        };
        // A body of three texts always serialises; an empty one would still carry the status.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        Self { status: error.status, body, number: error.number, manner: Manner::Signed, hangs: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_code_message_and_detail() {
        let reply = Reply::from(ApiError::param(BadField::new("/amount/total", "wrong type")));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 400);
        assert_eq!(body["code"], "PARAM_ERROR");
        assert_eq!(body["detail"]["field"], "/amount/total");
        let plain = Reply::from(ApiError::not_exist());
        assert!(!String::from_utf8(plain.body).unwrap().contains("detail"));
    }
}
