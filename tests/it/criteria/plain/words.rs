//! What stands in the fields, and what they are asked with: few values each, so that answers are mixed,
//! but those at which something can go wrong.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

use super::dice::Dice;

/// Kept as texts are: trimmed, in NFC. Pairs that differ by case only, by what one language folds and
/// another does not, by wildcards; marks that have no composed form; signs outside the first plane.
pub const TEXTS: &[&str] = &[
    "Lübeck",
    "LÜBECK",
    "lübeck",
    "Straße",
    "STRASSE",
    "STRAẞE",
    "İstanbul",
    "istanbul",
    "ISTANBUL",
    "ıstanbul",
    "ΟΔΟΣ",
    "οδος",
    "οδοσ",
    "Σίσυφος",
    "Ångström",
    "É clair",
    "é",
    "100%",
    "100 percent",
    "a_b",
    "aXb",
    "back\\slash",
    "it's \"ok\"",
    "🚀 launch",
    "👩‍💻",
    "नमस्ते",
    "x̄ mean",
    "½ cup",
    "E²",
    "new  york",
    "New York",
    "new-york",
    "york",
    "ǅ",
    "漢字",
    "line one\nline two",
    "x",
];

/// Behind a name that is made unique, and the domain as it is stored.
pub const DOMAINS: &[&str] = &["navy.test", "sub.navy.test", "xn--bcher-kva.test", "evil-navy.test"];
pub const LOCALS: &[&str] = &["ada", "jörg", "o'brien+news", "σίσυφος"];

pub const URLS: &[&str] = &[
    "https://navy.test/x",
    "http://www.Navy.test:8080/a?b=c@d",
    "navy.test",
    "www.navy.test/path",
    "https://ada:secret@sub.navy.test#top",
    "HTTPS://BÜCHER.test/",
    "https://xn--bcher-kva.test",
    "https://evil.test/navy.test",
    "ftp://other.test?navy.test",
];

pub const ASKED_DOMAINS: &[&str] = &[
    "navy.test",
    "Navy.Test",
    "@navy.test",
    "www.navy.test",
    "bücher.test",
    "xn--bcher-kva.test",
    "BU\u{308}CHER.test",
    "evil.test",
];

pub const PHONES: &[&str] = &[
    "+49 451 12345",
    "0049 (0)451 12345",
    "+49 (0)451/12345",
    "0451 12345",
    "+1 212 555 0100",
    "001-416-555-0100",
    "+7 495 123",
    "+7 701 123",
    "+44 1481 123",
    "+44 20 123",
    "+977 1 4123",
    "ext. 12345",
];

pub const TAGS: &[&str] = &["news", "News", "Été", "été", "ΟΔΟΣ", "οδοσ", "100%", "a b", "🚀"];

pub const CHOICES: &[&str] = &["Gold", "silver plan", "Straße", "İstanbul"];

pub const DECIMALS: &[&str] = &[
    "0",
    "0.0001",
    "-0.0001",
    "7",
    "7.5",
    "10",
    "10.1",
    "-12.25",
    "1000000",
    "999999999999999.9999",
    "-999999999999999.9999",
    "100000000000000.0001",
];

pub const NUMBERS: &[i64] = &[0, 1, 2, 7, 10, 100, 1_000, 2_147_483_647];

/// Moments in zones about which something happens: clocks that go forward or back, at midnight too; the
/// 29th of February; ends of months and years.
const ANCHORS: &[(&str, Tz)] = &[
    ("2026-03-29T10:30:00Z", Tz::Europe__Berlin),
    ("2026-10-25T00:30:00Z", Tz::Europe__Berlin),
    ("2026-03-31T10:00:00Z", Tz::Europe__Berlin),
    ("2024-03-10T06:59:59.999999Z", Tz::America__New_York),
    ("2024-11-03T05:30:00Z", Tz::America__New_York),
    ("2025-10-04T15:15:00Z", Tz::Australia__Lord_Howe),
    ("2025-04-05T15:00:00Z", Tz::Australia__Lord_Howe),
    ("2018-11-04T03:00:00Z", Tz::America__Sao_Paulo),
    ("2018-02-18T02:59:59.5Z", Tz::America__Sao_Paulo),
    ("2024-02-29T18:14:59.999Z", Tz::Asia__Kathmandu),
    ("2024-12-31T18:15:00Z", Tz::Asia__Kathmandu),
    ("2024-02-29T12:00:00Z", Tz::UTC),
    ("2026-02-28T23:59:59.999999Z", Tz::UTC),
];

const ZONES: &[Tz] = &[
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::America__Sao_Paulo,
    Tz::Asia__Kathmandu,
];

/// A moment to ask at, and a zone to ask in.
pub fn clock(dice: &mut Dice) -> (DateTime<Utc>, Tz) {
    let (at, zone) = dice.one(ANCHORS);
    let zone = if dice.chance(80) { zone } else { dice.one(ZONES) };
    let at = at.parse().expect("a time");
    (if dice.chance(60) { at } else { near(dice, at) }, zone)
}

/// A moment that is some limit away from it.
fn near(dice: &mut Dice, at: DateTime<Utc>) -> DateTime<Utc> {
    const HOUR: i64 = 3_600_000_000;
    const AWAY: &[i64] = &[
        0,
        1,
        1_000,
        60_000_000,
        HOUR / 2,
        HOUR,
        2 * HOUR,
        12 * HOUR,
        24 * HOUR,
        48 * HOUR,
        7 * 24 * HOUR,
        30 * 24 * HOUR,
        31 * 24 * HOUR,
        90 * 24 * HOUR,
        365 * 24 * HOUR,
        366 * 24 * HOUR,
    ];
    let away = TimeDelta::microseconds(dice.one(AWAY) * if dice.chance(50) { 1 } else { -1 });
    let shift = TimeDelta::microseconds(dice.one(&[0, 0, 0, 1, -1, 500]));
    at + away + shift
}

pub fn instant(dice: &mut Dice) -> DateTime<Utc> {
    let (at, zone) = dice.one(ANCHORS);
    let at = at.parse().expect("a time");
    if dice.chance(40) {
        // a midnight of the zone, or what its clocks show then, and the moments about it
        let day = near(dice, at).with_timezone(&zone).date_naive();
        let midnight = day.and_hms_opt(0, 0, 0).expect("midnight").and_local_timezone(zone);
        if let Some(midnight) = midnight.earliest() {
            return midnight.to_utc() + TimeDelta::microseconds(dice.one(&[-1, 0, 0, 1]));
        }
    }
    near(dice, at)
}

pub fn day(dice: &mut Dice) -> NaiveDate {
    if dice.chance(25) {
        let special =
            ["2024-02-29", "2020-02-29", "2023-02-28", "2023-03-01", "2025-12-31", "2026-01-01", "1990-03-29"];
        return dice.pick(&special).parse().expect("a day");
    }
    instant(dice).date_naive()
}

/// As the faces print it.
pub fn printed(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
