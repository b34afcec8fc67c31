//! How a message with headers lies in the bytes of a seed: words in the first line, headers, a blank line, the body.

/// Such a message. Whatever is no such text is the body of a message without headers.
pub(crate) struct Framed {
    /// The words of the first line.
    pub(crate) words: Vec<String>,
    /// Header names in lower case with their values.
    pub(crate) headers: Vec<(String, String)>,
    /// All behind the blank line.
    pub(crate) body: Vec<u8>,
}

impl Framed {
    /// Takes the bytes of a seed apart.
    pub(crate) fn of(data: &[u8]) -> Self {
        let (head, body) = split(data, b"\n\n").unwrap_or((data, b""));
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let words = lines.next().unwrap_or_default().split(' ').map(str::to_owned).collect();
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self { words, headers: lines.filter_map(header).collect(), body: body.to_vec() }
    }

    /// A word of the first line; empty where there is none.
    pub(crate) fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", String::as_str)
    }
}

fn split<'a>(data: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = data.windows(mark.len()).position(|window| window == mark)?;
    Some((&data[..at], &data[at + mark.len()..]))
}
