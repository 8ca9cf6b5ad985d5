//! Text as it comes from people, made valid and normal once at the edge: e-mail addresses and
//! short and long texts. What holds one of these types needs no further check.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::FieldErrors;

/// A valid, normalised e-mail address: trimmed, NFC, lower case, domain in ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// RFC 5321 allows 254 octets for a path.
const MAX_EMAIL: usize = 254;
const MAX_LOCAL: usize = 64;

impl EmailAddress {
    /// Accepts what a mail server could deliver to; refuses what only looks like an address.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "is not an e-mail address";
        let text = text.trim();
        if text.len() > MAX_EMAIL {
            return Err("is longer than 254 characters");
        }
        let (local, domain) = text.rsplit_once('@').ok_or(WRONG)?;
        // Normal form first: what is checked must be what is kept.
        let local: String = folded(local).nfc().collect();
        let domain = ascii_domain(domain).ok_or(WRONG)?;
        if valid_local(&local) { Ok(Self(format!("{local}@{domain}"))) } else { Err(WRONG) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_inner(self) -> String {
        self.0
    }
}

fn valid_local(local: &str) -> bool {
    let allowed = |c: char| {
        c.is_alphanumeric()
            || !c.is_ascii() && !c.is_whitespace() && !c.is_control()
            || "!#$%&'*+-/=?^_`{|}~.".contains(c)
    };
    !local.is_empty()
        && local.len() <= MAX_LOCAL
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(allowed)
}

/// The domain's ASCII (punycode) form, if it is a host name with at least one dot.
fn ascii_domain(domain: &str) -> Option<String> {
    let plain = domain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    let ascii = if plain && !domain.contains("xn--") {
        domain.to_owned()
    } else {
        idna::domain_to_ascii_strict(domain).ok()?
    };
    let label =
        |label: &str| !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-');
    let named = ascii.contains('.') && ascii.split('.').all(label);
    let numeric_top = ascii.rsplit('.').next().is_some_and(|top| top.bytes().all(|b| b.is_ascii_digit()));
    (named && !numeric_top && ascii.len() <= 253).then_some(ascii)
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// How long texts may be, in characters.
pub const SHORT: usize = 255;
pub const LONG: usize = 65_536;

/// A short text that one needs, such as a name; notes what is wrong with it.
pub fn required(fields: &mut FieldErrors, field: &'static str, text: &str) -> Option<String> {
    let text = fields.take(field, clean(text, SHORT))?;
    if text.is_none() {
        fields.add(field, "is needed");
    }
    text
}

/// A text of at most `max` characters: trimmed, NFC, no control characters but line breaks and
/// tabs. Empty becomes `None`.
pub fn clean(text: &str, max: usize) -> Result<Option<String>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // bytes bound characters from above: most texts need no counting
    if text.len() > max && text.chars().count() > max {
        return Err(format!("is longer than {max} characters"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("contains control characters".to_owned());
    }
    Ok(Some(if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }))
}

/// The form in which containment searches compare: lower case, NFC.
pub fn folded(text: &str) -> String {
    text.nfc().collect::<String>().to_lowercase()
}

/// Whether a U+0000 stands anywhere in it; PostgreSQL can keep none.
pub fn has_nul(json: &serde_json::Value) -> bool {
    use serde_json::Value;
    match json {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(entries) => entries.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// `text` as a LIKE pattern that finds it anywhere; its own wildcards are literal.
pub fn like_anywhere(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_normalised() {
        let parse = |text| EmailAddress::parse(text).map(EmailAddress::into_inner);
        assert_eq!(parse("  Anna.O'Brien+x@EXAMPLE.com "), Ok("anna.o'brien+x@example.com".into()));
        assert_eq!(parse("jörg@Bücher.de"), Ok("jörg@xn--bcher-kva.de".into()));
        assert_eq!(parse("Jo\u{308}rg@bücher.de"), Ok("jörg@xn--bcher-kva.de".into()));
        for wrong in
            ["", "x", "@x.de", "a@b", "a@.de", "a b@x.de", "a@x..de", "a..b@x.de", "a@1.2.3.4", "a@-x.de", "a@b@c de"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wildcards_in_a_search_are_literal() {
        assert_eq!(like_anywhere(r"50%_\"), r"%50\%\_\\%");
    }

    #[test]
    fn a_nul_in_json_is_found_and_one_that_is_spelled_out_is_none() {
        assert!(has_nul(&serde_json::json!({ "a": [{ "b\0": 1 }] })));
        assert!(has_nul(&serde_json::json!(["x\0"])));
        assert!(!has_nul(&serde_json::json!({ "a": "\\u0000" })));
    }

    proptest! {
        #[test]
        fn a_normalised_address_stays_as_it_is(text in "\\PC{1,12}@[a-zäöü]{1,8}\\.[a-z]{2,4}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
            }
        }

        #[test]
        fn cleaning_twice_changes_nothing(text in any::<String>()) {
            if let Ok(Some(once)) = clean(&text, SHORT) {
                prop_assert_eq!(clean(&once, SHORT), Ok(Some(once)));
            }
        }
    }
}
