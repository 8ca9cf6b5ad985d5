//! Bad files and bad rows: each is told clearly, and costs nothing but itself.

use kontor::{
    base::Limits,
    transfer::import::{Import, ImportStatus},
};

use super::lab::{Lab, NEITHER, UPDATE, counts, create_mapped};
use crate::support::sql;

async fn failed(lab: &Lab, text: impl AsRef<[u8]>) -> String {
    let import = lab.import(text, NEITHER).await;
    assert_eq!(import.status, ImportStatus::Failed);
    assert!(import.completed_at.is_some());
    assert!(lab.contacts("id").await.is_empty(), "nothing is half done");
    assert_eq!(lab.texts("SELECT state AS value FROM jobs ORDER BY id DESC LIMIT 1").await, ["failed"]);
    import.message.expect("says why")
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_says_why() {
    let lab = Lab::with(Limits { import_columns: 20, ..Limits::default() }).await;
    assert!(failed(&lab, "").await.contains("empty"));
    assert!(failed(&lab, "\n\r\n \n").await.contains("empty"));
    assert!(failed(&lab, "PK\u{3}\u{4}rest").await.contains("CSV"));
    assert!(failed(&lab, b"\xff\xfee\0m\0").await.contains("UTF-16"));
    let unknown = failed(&lab, "Foo,Bar\n1,2\n").await;
    assert!(unknown.contains("\u{201c}Foo\u{201d}, \u{201c}Bar\u{201d}"), "{unknown}");
    let twice = failed(&lab, "email,Email ,email\na@x.de,b,c\n").await;
    assert!(twice.contains("More than one column is called \u{201c}email\u{201d}"), "{twice}");
    let many = failed(&lab, format!("email{}\n", ",x".repeat(20))).await;
    assert!(many.contains("21 columns; at most 20"), "{many}");
    assert!(failed(&lab, "x".repeat(2_000_000)).await.contains("first line"));
    // it would be matched to a field, and stand in every error
    let long = failed(&lab, format!("city,e{}mail\nBonn,x\n", "-".repeat(300))).await;
    assert!(long.contains("column 2 is longer than 255 characters"), "{long}");
}

#[tokio::test]
async fn a_mapped_column_that_is_missing_fails_the_import() {
    let lab = Lab::new().await;
    let mapping = [("Mail", Some("email"))];
    let import = create_mapped(&lab, &lab.caller, "Post,city\nx,y\n", &mapping, NEITHER).await.expect("created");
    let _worker = lab.worker();
    let import = lab.ended(import.id).await;
    let message = import.message.expect("says why");
    assert_eq!(import.status, ImportStatus::Failed);
    assert!(message.contains("\u{201c}Mail\u{201d}") && message.contains("\u{201c}Post\u{201d}"), "{message}");
}

#[tokio::test]
async fn a_header_without_rows_is_an_import_of_nothing() {
    let lab = Lab::new().await;
    for text in ["email,city", "email,city\n", "email,city\r\n\r\n"] {
        assert_eq!(counts(&lab.import(text, NEITHER).await), [0; 5]);
    }
}

/// Each bad row between two good ones.
async fn bad(lab: &Lab, rows: &[&[u8]]) -> Import {
    let mut text = b"email,city,status,lastContactDate,Ignored\n".to_vec();
    for (number, row) in rows.iter().enumerate() {
        text.extend_from_slice(format!("good{number}@x.de,Bonn,,,\n").as_bytes());
        text.extend_from_slice(row);
        text.push(b'\n');
    }
    text.extend_from_slice(b"last@x.de,Bonn,,,\n");
    let import = lab.import(text, NEITHER).await;
    let good = i64::try_from(rows.len()).expect("few") + 1;
    assert_eq!(import.counts.created, good);
    assert_eq!(lab.contacts("id").await.len() as i64, good);
    import
}

#[tokio::test]
async fn bad_rows_are_told_one_by_one_and_the_others_go_in() {
    let lab = Lab::in_batches(3).await;
    let long = format!("long@x.de,{},,,", "x".repeat(300));
    let rows: [(&[u8], &str, &str); 12] = [
        (b"not-an-email,Bonn,,,", "email", "INVALID_EMAIL"),
        (b"a@x.de,B\0nn,,,", "city", "INVALID_CHARACTER"),
        (b"a@x.de,B\xffnn,,,", "city", "INVALID_ENCODING"),
        (b"a@x.de,Bonn", "", "ROW_LENGTH"),
        (b"a@x.de,Bonn,,,,more", "", "ROW_LENGTH"),
        (b"a@x.de,Bonn,nonsense,,", "status", "INVALID_CHOICE"),
        (b"a@x.de,Bonn,,31/31/2026,", "lastContactDate", "INVALID_DATE"),
        (long.as_bytes(), "city", "INVALID_TEXT"),
        (b",Bonn,,,", "", "MISSING_VALUE"),
        (b"x,Bonn,nonsense,,", "email", "INVALID_EMAIL"),
        (b"good0@x.de,,,,", "email", "DUPLICATE"),
        (b"a@x.de,B\x01nn,,,", "city", "INVALID_TEXT"),
    ];
    let import = bad(&lab, &rows.map(|row| row.0)).await;
    let told = lab.codes(import.id).await;
    let expected: Vec<_> =
        (2..).step_by(2).zip(rows).map(|(row, (_, column, code))| (row, column.to_owned(), code)).collect();
    assert_eq!(told, expected);
    let errors = lab.errors(import.id).await;
    assert_eq!(errors[0].message, "email is not an e-mail address");
    assert_eq!(errors[1].cells[1], "B\u{fffd}nn", "what the database cannot hold is marked");
    assert_eq!((errors[2].line, errors[2].value.as_deref()), (7, Some("B\u{fffd}nn")));
    assert_eq!(errors[3].message, "The row has 2 cells, and the header has 5");
    assert!(errors[9].message.contains("email is not") && errors[9].message.contains("status must be"));
}

#[tokio::test]
async fn broken_text_in_a_column_that_is_not_read_harms_nobody() {
    let lab = Lab::new().await;
    let import = lab.import(b"email,Other\na@x.de,\xff\0\n\"b@x.de\",\"x\n", NEITHER).await;
    assert_eq!(import.counts.created, 1);
    assert_eq!(lab.codes(import.id).await, [(2, String::new(), "UNCLOSED_QUOTE")]);
}

#[tokio::test]
async fn a_cell_of_ten_megabytes_is_an_error_of_its_row() {
    let lab = Lab::new().await;
    let cell = vec![b'x'; 10 * 1024 * 1024];
    let rows = [[b"a@x.de,".as_slice(), &cell, b",,,"].concat(), [b"\"".as_slice(), &cell, b"\",,,,"].concat()];
    let import = bad(&lab, &[&rows[0], &rows[1]]).await;
    let codes = lab.codes(import.id).await;
    assert_eq!(codes, [(2, "city".to_owned(), "CELL_TOO_LONG"), (4, "email".to_owned(), "CELL_TOO_LONG")]);
    let errors = lab.errors(import.id).await;
    assert!(errors.iter().all(|error| error.cells.iter().map(String::len).sum::<usize>() < 1_000));
    let columns = [b"b@x.de,".as_slice(), &b"y,".repeat(5_000)].concat();
    let import = bad(&Lab::new().await, &[&columns]).await;
    assert_eq!(import.counts.failed, 1);
}

#[tokio::test]
async fn empty_rows_are_passed_over() {
    let lab = Lab::new().await;
    let import = lab.import("email,city\n,\n\na@x.de,Bonn\n , \n", NEITHER).await;
    assert_eq!(counts(&import), [1, 0, 0, 2, 0]);
}

#[tokio::test]
async fn references_that_lead_nowhere_are_errors_of_their_rows() {
    let lab = Lab::in_batches(2).await;
    let (nobody, nothing) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let text = format!(
        "email,ownerId,accountId\na@x.de,,\nb@x.de,{nobody},\nc@x.de,{},{nothing}\nd@x.de,{nobody},{nothing}\n",
        lab.caller.user
    );
    for options in [NEITHER, UPDATE] {
        let import = lab.import(&text, options).await;
        assert_eq!(import.counts.failed + import.counts.succeeded(), 4);
        let codes: Vec<_> = lab.codes(import.id).await.into_iter().filter(|error| error.2 != "DUPLICATE").collect();
        let unknown = |row, column: &str| (row, column.to_owned(), "UNKNOWN_REFERENCE");
        assert_eq!(codes, [unknown(2, "ownerId"), unknown(3, "accountId"), unknown(4, "ownerId")]);
    }
    assert_eq!(lab.contacts("email").await, ["a@x.de"]);
}

/// PostgreSQL empties unlogged tables when it crashes: a batch that was staged and is gone must not
/// count as imported.
#[tokio::test]
async fn staged_rows_that_vanish_are_read_again() {
    let lab = Lab::in_batches(50).await;
    let rows: String = (0..1_000).map(|row| format!("u{row}@x.de\n")).collect();
    let import = lab.create(format!("email\n{rows}"), NEITHER).await;
    let _worker = lab.worker();
    let tables = "SELECT tablename::text AS value FROM pg_tables WHERE schemaname = 'staging'";
    for _ in 0..20 {
        for table in lab.texts(tables).await {
            let mut tx = lab.ctx.db.system().await.expect("a transaction");
            // gone when the import is done
            let there = format!("SELECT count(*) AS value FROM pg_tables WHERE tablename = '{table}'");
            if sql::number_in(&mut tx, &there).await == 1 {
                sql::try_run_in(&mut tx, &format!("TRUNCATE staging.{table}")).await;
            }
            let _ = tx.commit().await;
        }
    }
    lab.ctx.clock.advance(chrono::TimeDelta::hours(1));
    let import = lab.ended(import.id).await;
    assert_eq!(counts(&import), [1_000, 0, 0, 0, 0]);
    assert_eq!(lab.contacts("email").await.len(), 1_000);
}

#[tokio::test]
async fn of_very_many_failed_rows_the_first_are_kept_and_all_are_counted() {
    let lab = Lab::with(Limits { import_errors: 7, import_batch_rows: 5, ..Limits::default() }).await;
    let import = lab.import(format!("email\n{}", "x\n".repeat(23)), NEITHER).await;
    assert_eq!(counts(&import), [0, 0, 0, 0, 23]);
    let kept: Vec<_> = lab.errors(import.id).await.into_iter().map(|error| error.row).collect();
    assert_eq!(kept, (1..=7).collect::<Vec<_>>());
}
