//! Invented contacts, the same at every run: letters of many alphabets, quoted commas and line
//! breaks, 2 % repeated addresses, 0.5 % rows that must be refused. Beside the file to import, the
//! rows that a correct importer inserts, ready for PostgreSQL's own `COPY`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::Result;

pub const COLUMNS: [&str; 12] = [
    "email",
    "first_name",
    "last_name",
    "phone",
    "title",
    "department",
    "city",
    "country",
    "source",
    "status",
    "last_contact_date",
    "notes",
];

pub const FIRST: [&str; 24] = [
    "Anna",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fatima",
    "George",
    "Håkon",
    "Iñigo",
    "José",
    "Katarzyna",
    "Liam",
    "María",
    "Noah",
    "Olga",
    "Péter",
    "Renée",
    "Søren",
    "Tomáš",
    "Łukasz",
    "李",
    "佐藤",
    "Наталья",
    "Ιωάννης",
];
pub const LAST: [&str; 20] = [
    "Smith",
    "Müller",
    "García",
    "Nowak",
    "Ivanov",
    "O'Brien",
    "Sørensen",
    "Dvořák",
    "Kowalski",
    "Rossi",
    "Silva",
    "Öztürk",
    "Nguyễn",
    "Tanaka",
    "Lefèvre",
    "van der Berg",
    "Ångström",
    "Jones",
    "Chen",
    "Papadopoulos",
];
pub const TITLES: [&str; 6] =
    ["CEO", "Head of Sales, EMEA", "Software Engineer", "Buyer", "VP, \"Finance\"", "Designer"];
pub const DEPARTMENTS: [&str; 4] = ["Sales", "Engineering", "Einkauf", "Support"];
pub const PLACES: [(&str, &str); 10] = [
    ("New York", "US"),
    ("Portland, OR", "US"),
    ("Austin", "US"),
    ("Berlin", "DE"),
    ("München", "DE"),
    ("Orléans", "FR"),
    ("London", "GB"),
    ("Málaga", "ES"),
    ("Łódź", "PL"),
    ("東京", "JP"),
];
pub const COUNTRIES: [&str; 7] = ["US", "DE", "FR", "GB", "ES", "PL", "JP"];
pub const SOURCES: [&str; 4] = ["website", "referral", "event", "other"];
pub const STATUSES: [&str; 4] = ["active", "inactive", "lead", "customer"];

/// A file to import, and what should come of it.
pub struct Contacts {
    pub file: PathBuf,
    /// The good rows in the same columns behind a new id, for `COPY`.
    pub clean: PathBuf,
    pub rows: usize,
    pub good: usize,
}

/// Writes both files. `name` keeps addresses and files apart from those of other calls.
pub fn write(folder: &Path, name: &str, rows: usize) -> Result<Contacts> {
    let mut random = StdRng::seed_from_u64(rows as u64 + u64::from(name.bytes().map(u32::from).sum::<u32>()));
    let (path, clean_path) = (folder.join(format!("{name}.csv")), folder.join(format!("{name}-clean.csv")));
    let mut file = BufWriter::new(File::create(&path)?);
    let mut clean = BufWriter::new(File::create(&clean_path)?);
    writeln!(file, "{}", COLUMNS.join(","))?;
    let mut used: Vec<usize> = Vec::with_capacity(rows);
    for number in 0..rows {
        let repeats = number > 100 && random.random_bool(0.02);
        let key = if repeats { used[random.random_range(0..used.len())] } else { number };
        let mut row = row(&mut random, name, key);
        let is_bad = !repeats && random.random_bool(0.005);
        if is_bad {
            spoil(&mut row, &mut random);
        }
        write_row(&mut file, row.iter().map(String::as_str))?;
        if !repeats && !is_bad {
            used.push(key);
            let id = Uuid::now_v7().to_string();
            write_row(&mut clean, std::iter::once(id.as_str()).chain(row.iter().map(String::as_str)))?;
        }
    }
    file.flush()?;
    clean.flush()?;
    Ok(Contacts { file: path, clean: clean_path, rows, good: used.len() })
}

fn row(random: &mut StdRng, name: &str, key: usize) -> Vec<String> {
    let (city, country) = *pick(random, &PLACES);
    let mut first = (*pick(random, &FIRST)).to_owned();
    if random.random_bool(0.004) {
        first.push_str("\nJr.");
    }
    let day = random.random_range(1..=28);
    let month = random.random_range(1..=12);
    vec![
        format!("{name}{key}@example{}.com", key % 97),
        first,
        (*pick(random, &LAST)).to_owned(),
        format!("+{} {}", random.random_range(1..99), random.random_range(100_000_000..1_000_000_000_u64)),
        (*pick(random, &TITLES)).to_owned(),
        (*pick(random, &DEPARTMENTS)).to_owned(),
        city.to_owned(),
        country.to_owned(),
        (*pick(random, &SOURCES)).to_owned(),
        (*pick(random, &STATUSES)).to_owned(),
        format!("2026-{month:02}-{day:02}T09:30:00Z"),
        "Met at the fair; wants a call, please".to_owned(),
    ]
}

/// Makes a row that no importer may take.
fn spoil(row: &mut Vec<String>, random: &mut StdRng) {
    match random.random_range(0..4) {
        0 => row[0] = "not-an-email".to_owned(),
        1 => row[10] = "31/31/2026".to_owned(),
        2 => row[9] = "undecided".to_owned(),
        _ => row.push("one cell too many".to_owned()),
    }
}

pub fn pick<'a, T>(random: &mut impl Rng, from: &'a [T]) -> &'a T {
    &from[random.random_range(0..from.len())]
}

fn write_row<'a>(to: &mut impl Write, cells: impl Iterator<Item = &'a str>) -> Result<()> {
    for (index, cell) in cells.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        if cell.contains([',', '"', '\n']) {
            write!(to, "{comma}\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(to, "{comma}{cell}")?;
        }
    }
    writeln!(to)?;
    Ok(())
}
