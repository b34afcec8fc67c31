//! Lists that come page by page, printed up to a limit.

use paymux_domain::limits::PAGE_SIZE_MAX;

use super::order::refused;

/// Asks for page after page, with the size and the token of each, and shows at most `limit` of what is in them.
pub(super) async fn each<T>(
    limit: u32,
    mut ask: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), tonic::Status>,
    mut show: impl FnMut(&T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut left = limit;
    // A token holds for pages of one size.
    let page_size = i32::try_from(left.min(PAGE_SIZE_MAX))?;
    let mut page_token = String::new();
    while left > 0 {
        let (page, next) = ask(page_size, page_token).await.map_err(refused)?;
        for entry in page.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            show(entry)?;
            left -= 1;
        }
        if next.is_empty() {
            break;
        }
        page_token = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists ten numbers, `size` a page.
    async fn listed(limit: u32, size: usize) -> (Vec<usize>, usize) {
        let (mut shown, mut asked) = (Vec::new(), 0);
        let ask = async |_: i32, token: String| {
            asked += 1;
            let from: usize = token.parse().unwrap_or(0);
            let to = (from + size).min(10);
            let next = if to < 10 { to.to_string() } else { String::new() };
            Ok::<_, tonic::Status>(((from..to).collect(), next))
        };
        let show = |number: &usize| {
            shown.push(*number);
            Ok(())
        };
        each(limit, ask, show).await.unwrap();
        (shown, asked)
    }

    #[tokio::test]
    async fn pages_are_asked_for_up_to_the_limit_or_the_end() {
        assert_eq!(listed(100, 4).await, ((0..10).collect(), 3));
        assert_eq!(listed(6, 4).await, ((0..6).collect(), 2));
        assert_eq!(listed(8, 4).await, ((0..8).collect(), 2));
        assert_eq!(listed(0, 4).await, (Vec::new(), 0));
    }

    #[tokio::test]
    async fn a_refusal_ends_the_list() {
        let ask = async |_: i32, _: String| Err::<(Vec<usize>, String), _>(tonic::Status::internal("broken"));
        assert!(each(1, ask, |_| Ok(())).await.is_err());
    }
}
