//! File names: as they come from people's machines, and as a download's header carries them.

use std::fmt::Write as _;

use crate::base::text::{self, SHORT};

/// A name without folders, control characters or surprises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Cuts a path, of whichever system, to its last part. The error continues the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain: String = last.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !turns(*c)).collect();
        match text::clean(&plain, SHORT)? {
            Some(name) if name != "." && name != ".." => Ok(Self(name)),
            _ => Err("is not a file name".to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_inner(self) -> String {
        self.0
    }
}

/// The value of a `Content-Disposition` header that offers a download under this name: RFC 6266,
/// with the name in ASCII for old clients and exactly (RFC 8187) for the others. Always ASCII, and
/// safe whatever the name holds.
pub fn content_disposition(name: &str) -> String {
    let safe: String = name.chars().map(|c| if is_odd(c) { '_' } else { c }).collect();
    let safe = if safe.trim_matches(['.', ' ']).is_empty() { "file" } else { &safe };
    // a percent sign in the plain form is decoded by some clients
    let ascii: String = safe.chars().map(|c| if c.is_ascii() && !matches!(c, '"' | '%') { c } else { '_' }).collect();
    let mut header = format!("attachment; filename=\"{ascii}\"");
    if ascii != safe {
        header.push_str("; filename*=UTF-8''");
        for byte in safe.bytes() {
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                header.push(char::from(byte));
            } else {
                let _ = write!(header, "%{byte:02X}");
            }
        }
    }
    header
}

fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '/' | '\\') || turns(c)
}

/// Characters that turn the direction of writing: they make `exe.csv` of `vsc.exe`.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_cut_to_its_last_part() {
        let parse = |text| FileName::parse(text).map(FileName::into_inner);
        assert_eq!(parse(r"C:\fakepath\people.csv"), Ok("people.csv".to_owned()));
        assert_eq!(parse("../../etc/passwd"), Ok("passwd".to_owned()));
        assert_eq!(parse(" a\r\nb\0.csv "), Ok("a  b .csv".to_owned()));
        assert_eq!(parse("Ku\u{308}nden.csv"), Ok("Künden.csv".to_owned()));
        assert_eq!(parse("\u{202e}vsc.exe"), Ok("vsc.exe".to_owned()));
        for wrong in ["", "  ", ".", "..", "a/", "a/..", &"x".repeat(SHORT + 1)] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_header_carries_any_name() {
        assert_eq!(content_disposition("report.csv"), r#"attachment; filename="report.csv""#);
        assert_eq!(
            content_disposition("Bücher 100%.csv"),
            r#"attachment; filename="B_cher 100_.csv"; filename*=UTF-8''B%C3%BCcher%20100%25.csv"#
        );
        assert_eq!(
            content_disposition(r#"a"b\c/d.csv"#),
            r#"attachment; filename="a_b_c_d.csv"; filename*=UTF-8''a%22b_c_d.csv"#
        );
        assert_eq!(content_disposition("a\r\nSet-Cookie: b"), r#"attachment; filename="a__Set-Cookie: b""#);
        assert_eq!(content_disposition(".."), r#"attachment; filename="file""#);
    }

    proptest! {
        #[test]
        fn the_header_is_one_safe_line(name in any::<String>()) {
            let header = content_disposition(&name);
            prop_assert!(header.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
            prop_assert_eq!(header.matches('"').count(), 2);
            prop_assert!(!header.contains(['\\', '/']));
        }
    }
}
