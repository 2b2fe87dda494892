//! Where a block of a CSV file may be cut: after a row, and not at a line break inside quotes.

/// Where in a row a byte stands, as far as quotes need to know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a field: a quote here opens one.
    FieldStart,
    /// In a field without quotes: a quote here is text.
    Bare,
    Quoted,
    /// After a quote in a quoted field: another makes one quote of the two, anything else ends the quotes.
    QuoteInQuoted,
}

/// The end of the last whole row in `text`, which begins where a row does. `None` where none ends.
///
/// Quotes and line breaks mean here what they mean to the CSV crate, which parses the rows.
pub(super) fn last_row_end(text: &[u8]) -> Option<usize> {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !text.contains(&b'"') {
        return text.iter().rposition(is_break).map(|at| at + 1);
    }
    let mut state = State::FieldStart;
    let mut end = None;
    for (at, &byte) in text.iter().enumerate() {
        state = match (state, byte) {
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) => State::Quoted,
            (State::QuoteInQuoted, b'"') => State::Quoted,
            (State::FieldStart, b'"') => State::Quoted,
            (_, b',') => State::FieldStart,
            (_, b'\n' | b'\r') => {
                end = Some(at + 1);
                State::FieldStart
            }
            _ => State::Bare,
        };
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8]) -> Vec<csv::ByteRecord> {
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true);
        // The crate takes a byte order mark off whatever it reads first, which only a file's beginning may have.
        let text = [b"\n", text].concat();
        let reader = reader.from_reader(text.as_slice());
        reader.into_byte_records().map(Result::unwrap).collect()
    }

    #[test]
    fn a_break_in_quotes_is_no_end() {
        assert_eq!(last_row_end(b"a,b\nc"), Some(4));
        assert_eq!(last_row_end(b"a,\"b\nc\""), None);
        assert_eq!(last_row_end(b"a,\"b\n\"\nc"), Some(7));
        // A quote within a bare field is text.
        assert_eq!(last_row_end(b"5\" nail,1\nc"), Some(10));
        assert_eq!(last_row_end(b"5\" nail,\"x\ny"), None);
        assert_eq!(last_row_end(b""), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_cut_changes_no_row(text in r#"[a",\n\r]{0,40}"#) {
            let text = text.as_bytes();
            if let Some(end) = last_row_end(text) {
                let cut = [rows(&text[..end]), rows(&text[end..])].concat();
                prop_assert_eq!(cut, rows(text));
            }
        }
    }
}
