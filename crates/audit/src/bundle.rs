//! Entry bundles: up to 256 entries in a file, each behind its length as a big-endian `u16` (C2SP tlog-tiles).

use crate::entry::ENTRY_BYTES_MAX;
use crate::layout::TILE_WIDTH;

const LENGTH_BYTES: usize = 2;

/// The longest a bundle can be; reading stops there.
pub(crate) const BUNDLE_BYTES_MAX: usize = TILE_WIDTH as usize * (LENGTH_BYTES + ENTRY_BYTES_MAX);

/// Where a bundle stopped making sense.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EndsInside {
    /// Position of the unreadable entry within the bundle, from 0.
    pub(crate) position: usize,
}

/// Appends one entry. `None` when it is too long for its length field.
pub(crate) fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> Option<()> {
    let length = u16::try_from(entry.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Some(())
}

/// Where each of the first `width` entries ends.
pub(crate) fn ends(bytes: &[u8], width: u32) -> Result<Vec<usize>, EndsInside> {
    let (entries, _) = split(bytes, width)?;
    let mut end = 0;
    let ends = entries.iter().map(|entry| {
        end += LENGTH_BYTES + entry.len();
        end
    });
    Ok(ends.collect())
}

/// The entry at a position of a bundle whose entries end there.
pub(crate) fn entry_at<'a>(bytes: &'a [u8], ends: &[usize], position: usize) -> Option<&'a [u8]> {
    let start = match position {
        0 => 0,
        _ => *ends.get(position - 1)?,
    };
    bytes.get(start + LENGTH_BYTES..*ends.get(position)?)
}

/// The first `width` entries, and the number of bytes they take.
pub(crate) fn split(bytes: &[u8], width: u32) -> Result<(Vec<&[u8]>, usize), EndsInside> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    for position in 0..width as usize {
        let (entry, after) = split_first(rest).ok_or(EndsInside { position })?;
        entries.push(entry);
        rest = after;
    }
    Ok((entries, bytes.len() - rest.len()))
}

fn split_first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn what_was_pushed_is_split_again() {
        let long = vec![7; ENTRY_BYTES_MAX];
        let mut bundle = Vec::new();
        for entry in [b"one".as_slice(), b"", &long] {
            push(&mut bundle, entry).unwrap();
        }
        assert_eq!(bundle[..5], [0, 3, b'o', b'n', b'e']);
        assert_eq!(
            split(&bundle, 3).unwrap(),
            (vec![b"one".as_slice(), b"", &long], bundle.len())
        );
        assert_eq!(split(&bundle, 1).unwrap(), (vec![b"one".as_slice()], 5));
        assert_eq!(split(&bundle, 4).unwrap_err(), EndsInside { position: 3 });
        let ends = ends(&bundle, 3).unwrap();
        for (position, entry) in [b"one".as_slice(), b"", &long].into_iter().enumerate() {
            assert_eq!(entry_at(&bundle, &ends, position), Some(entry));
        }
        assert_eq!(entry_at(&bundle, &ends, 3), None);
    }

    #[test]
    fn every_cut_is_noticed() {
        let mut bundle = Vec::new();
        push(&mut bundle, b"first").unwrap();
        push(&mut bundle, b"second").unwrap();
        for cut in 0..bundle.len() {
            let position = usize::from(cut >= 7);
            assert_eq!(
                split(&bundle[..cut], 2).unwrap_err(),
                EndsInside { position },
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_entry_beyond_its_length_field_is_not_pushed() {
        let mut bundle = Vec::new();
        assert!(push(&mut bundle, &vec![0; ENTRY_BYTES_MAX + 1]).is_none());
        assert!(bundle.is_empty());
    }
}
