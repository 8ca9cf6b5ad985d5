//! Parts of a body, as RFC 9110 writes them: `Content-Range` of what comes, `Range` of what is
//! asked for. Bytes alone, and one range at a time.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::base::Error;

/// Where a sent body stands in its file: `bytes 0-99/1000`, or `bytes 0-99/*` while nobody knows
/// how much there will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    /// Bytes in the body; at least 1.
    pub length: u64,
    pub total: Option<u64>,
}

impl ContentRange {
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).ok_or_else(|| {
            Error::invalid("Content-Range", "must be like `bytes 0-99/1000`, or `bytes 0-99/*` for an unknown size")
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let length = last.checked_sub(first)?.checked_add(1)?;
        let total = if total == "*" { None } else { Some(number(total)?) };
        if total.is_some_and(|total| last >= total) {
            return None;
        }
        Some(Self { first, length, total })
    }
}

/// What is asked for of a file: its first byte and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub first: u64,
    pub length: u64,
}

/// A `Range` header against a file of this size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// No range, or one that we do not understand, which is to be ignored.
    Whole,
    Part(Slice),
    /// A range that begins behind the end.
    Nothing,
}

pub fn asked(text: Option<&str>, size: u64) -> Asked {
    let Some(range) = text.and_then(|text| text.trim().strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else { return Asked::Whole };
    let slice = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Slice { first, length: last.min(size.saturating_sub(1)) + 1 },
        (Some(first), None) if last.trim().is_empty() => Slice { first, length: size },
        // so many bytes from the end
        (None, Some(many)) if first.trim().is_empty() => {
            Slice { first: size.saturating_sub(many), length: if many == 0 { 0 } else { size } }
        }
        _ => return Asked::Whole,
    };
    // until here `length` is where it ends
    match slice.length.checked_sub(slice.first) {
        Some(length) if length > 0 && slice.first < size => Asked::Part(Slice { first: slice.first, length }),
        _ => Asked::Nothing,
    }
}

/// So many bytes of a body, from its beginning.
pub fn first_of<E>(body: impl Stream<Item = Result<Bytes, E>>, most: u64) -> impl Stream<Item = Result<Bytes, E>> {
    body.scan(most, |left, read| {
        let wanted = *left > 0;
        let cut = |mut bytes: Bytes| {
            bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= bytes.len() as u64;
            bytes
        };
        std::future::ready(wanted.then(|| read.map(cut)))
    })
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |first, length, total| Some(ContentRange { first, length, total });
        assert_eq!(ContentRange::read("bytes 0-99/1000"), range(0, 100, Some(1000)));
        assert_eq!(ContentRange::read(" bytes 5-5/*"), range(5, 1, None));
        assert_eq!(ContentRange::read("bytes 999-999/1000"), range(999, 1, Some(1000)));
        let wrong = [
            "",
            "bytes",
            "bytes 0-99",
            "bytes */1000",
            "bytes 9-8/10",
            "bytes 0-10/10",
            "items 0-1/2",
            "bytes -1-2/3",
            "bytes 0-18446744073709551615/*",
            "bytes +1-2/3",
            "bytes 0-1/2/3",
            "bytes 0-99999999999999999999/*",
        ];
        for wrong in wrong {
            assert_eq!(ContentRange::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges() {
        let part = |first, length| Asked::Part(Slice { first, length });
        for (text, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-5", part(2, 4)),
            ("bytes=2-", part(2, 8)),
            ("bytes=2-99", part(2, 8)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-99", part(0, 10)),
            ("bytes=9-18446744073709551615", part(9, 1)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-12", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-4", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("items=0-1", Asked::Whole),
        ] {
            assert_eq!(asked(Some(text), 10), expected, "{text}");
        }
        assert_eq!(asked(None, 10), Asked::Whole);
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Nothing);
    }
}
