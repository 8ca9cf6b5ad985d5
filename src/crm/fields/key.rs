//! Keys of custom fields: what a field is called for good.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// As the table demands it.
const LONGEST: usize = 60;
/// Of a key that is made, so that a number fits behind it.
const LONGEST_MADE: usize = 50;

/// Whether this is a key, or what would be right.
pub fn check(key: &str) -> Result<String, &'static str> {
    let key = key.trim();
    let begins = key.starts_with(|first: char| first.is_ascii_lowercase());
    let rest = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match begins && rest && key.len() <= LONGEST {
        true => Ok(key.to_owned()),
        false => {
            Err("must begin with a letter from a to z, with only such letters, digits and _ behind it, at most 60")
        }
    }
}

/// A key that says what the label says, and that is not taken.
pub fn from_label(label: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut key = String::new();
    for c in label.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => key.push(c),
            'ß' => key.push_str("ss"),
            _ if !key.is_empty() && !key.ends_with('_') => key.push('_'),
            _ => {}
        }
    }
    key.truncate(LONGEST_MADE);
    let key = match key.trim_end_matches('_') {
        "" => "field".to_owned(),
        key if key.starts_with(|first: char| first.is_ascii_digit()) => format!("f_{key}"),
        key => key.to_owned(),
    };
    if !is_taken(&key) {
        return key;
    }
    let mut number = 2_u32;
    while is_taken(&format!("{key}_{number}")) {
        number += 1;
    }
    format!("{key}_{number}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_made_of_its_label() {
        let free = |label| from_label(label, |_| false);
        assert_eq!(
            [free("Contract Value (€)"), free("Größe"), free("2nd owner"), free("名前")],
            ["contract_value", "grosse", "f_2nd_owner", "field"]
        );
        assert_eq!(from_label("Plan", |key| key == "plan" || key == "plan_2"), "plan_3");
    }

    proptest! {
        #[test]
        fn every_label_makes_a_key(label in any::<String>()) {
            let key = from_label(&label, |_| false);
            prop_assert_eq!(check(&key), Ok(key));
        }
    }
}
