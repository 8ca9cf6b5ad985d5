//! Text as criteria mean it.
//!
//! Folding is the database's `lower()` in the locale C.UTF-8: each character by itself, by Unicode's
//! simple mapping. So İ is i, ẞ is ß, and Σ is σ wherever it stands; ß is no ss, ς is no σ, ı is no i.
//! That differs from `str::to_lowercase` for İ and for Σ at the end of words alone.

use kontor::base::text::EmailAddress;
use unicode_normalization::UnicodeNormalization;

pub fn fold(text: &str) -> String {
    let simple = |c: char| if c == 'İ' { 'i' } else { c.to_lowercase().next().unwrap_or(c) };
    text.chars().map(simple).collect()
}

pub fn folded(text: &str, cased: bool) -> String {
    if cased { text.to_owned() } else { fold(text) }
}

pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

pub fn email(text: &str) -> String {
    EmailAddress::parse(text).expect("an address").into_inner()
}

/// SQL's LIKE.
pub fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| like(&text[from..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && like(&text[1..], rest),
    }
}

/// Letters and digits in a row; what stands between does not matter. Of other numbers, ½ and ² are none.
pub fn words(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphabetic() || c.is_ascii_digit();
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
}

pub fn has_words(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (words(text), words(wanted));
    !wanted.is_empty() && text.windows(wanted.len()).any(|window| window == wanted)
}

/// A host in the one form that all its spellings have.
pub fn domain(text: &str) -> String {
    let text = nfc(text).trim().to_lowercase();
    let text = text.strip_prefix('@').unwrap_or(&text);
    let text = text.strip_prefix("www.").unwrap_or(text);
    idna::domain_to_ascii(text).unwrap_or_default()
}

pub fn domain_of_email(text: &str) -> String {
    domain(text.split('@').nth(1).unwrap_or_default())
}

pub fn host_of_url(text: &str) -> String {
    let text = text.to_lowercase();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    domain(host.split(':').next().unwrap_or_default())
}

/// A number as E.164 has it: a plus for 00, no zero that is spoken in the country only.
pub fn e164(number: &str) -> String {
    let digits = phone_part(number);
    match digits.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => digits,
    }
}

pub fn phone_part(part: &str) -> String {
    part.replace("(0)", "").chars().filter(|c| c.is_ascii_digit() || *c == '+').collect()
}

/// The country of a number among those that the test has: the longest code counts.
pub fn country(number: &str) -> Option<&'static str> {
    const CODES: &[(&str, &str)] = &[
        ("+49", "DE"),
        ("+1", "US"),
        ("+1416", "CA"),
        ("+7", "RU"),
        ("+77", "KZ"),
        ("+44", "GB"),
        ("+441481", "GG"),
        ("+977", "NP"),
    ];
    let number = e164(number);
    let fitting = CODES.iter().filter(|(code, _)| number.starts_with(code));
    fitting.max_by_key(|(code, _)| code.len()).map(|(_, country)| *country)
}
