//! What becomes of rows whose key exists, by the options.

use kontor::{
    auth::Via,
    crm::{
        Contact,
        record::{Raw, Record, ops},
    },
    transfer::import::ImportOptions,
};

use super::lab::{Lab, NEITHER, SKIP, UPDATE, counts};

#[tokio::test]
async fn with_neither_a_key_that_exists_is_an_error() {
    let lab = Lab::in_batches(2).await;
    lab.import("email,city\na@x.de,Bonn\n", NEITHER).await;
    let text = "email,city\nb@x.de,Rom\nA@X.de ,Rom\nc@x.de,Rom\nb@x.de,Ulm\nd@x.de,1\nd@x.de,2\n";
    let import = lab.import(text, NEITHER).await;
    assert_eq!(counts(&import), [3, 0, 0, 0, 3]);
    let codes = lab.codes(import.id).await;
    assert_eq!(codes, [2, 4, 6].map(|row| (row, "email".to_owned(), "DUPLICATE")));
    let errors = lab.errors(import.id).await;
    assert_eq!(errors[0].cells, ["A@X.de ", "Rom"]);
    assert_eq!((errors[0].line, errors[0].value.as_deref()), (3, Some("A@X.de ")));
    assert_eq!(lab.contacts("email || ' ' || city").await, ["a@x.de Bonn", "b@x.de Rom", "c@x.de Rom", "d@x.de 1"]);
}

#[tokio::test]
async fn skipping_leaves_what_is_there_as_it_is() {
    let lab = Lab::in_batches(3).await;
    let text = "email,city\na@x.de,Bonn\nb@x.de,Rom\na@x.de,Ulm\nb@x.de,Ulm\n";
    assert_eq!(counts(&lab.import(text, SKIP).await), [2, 0, 0, 2, 0]);
    assert_eq!(counts(&lab.import(text, SKIP).await), [0, 0, 0, 4, 0]);
    assert_eq!(lab.contacts("email || ' ' || city || version").await, ["a@x.de Bonn1", "b@x.de Rom1"]);
}

#[tokio::test]
async fn updating_changes_what_a_row_says_and_nothing_else() {
    let lab = Lab::new().await;
    lab.import("email,city,phone,status\na@x.de,Bonn,1,customer\nb@x.de,Rom,2,lead\n", NEITHER).await;
    let text = "email,city,phone,status\na@x.de,Ulm,,\nb@x.de,Rom,2,\nc@x.de,,3,\n";
    let import = lab.import(text, UPDATE).await;
    assert_eq!(counts(&import), [1, 1, 1, 0, 0]);
    assert_eq!(
        lab.contacts("concat_ws(' ', email, city, phone, status, version)").await,
        ["a@x.de Ulm 1 customer 2", "b@x.de Rom 2 lead 1", "c@x.de 3 active 1"]
    );
    let history =
        "SELECT concat_ws(' ', kind, version, origin, actor->>'kind', before, after) AS value FROM record_changes";
    assert_eq!(lab.texts(history).await, ["contact 2 import import {\"city\": \"Bonn\"} {\"city\": \"Ulm\"}"]);
    let event = "SELECT payload::text AS value FROM outbox WHERE name = 'record.updated'";
    assert_eq!(lab.texts(event).await, ["{\"changed\": [\"city\"], \"versions\": [2]}"]);
    // the same file twice changes nothing
    assert_eq!(counts(&lab.import(text, UPDATE).await), [0, 0, 3, 0, 0]);
    assert_eq!(lab.texts(history).await.len(), 1);
}

#[tokio::test]
async fn with_both_the_update_wins() {
    let lab = Lab::new().await;
    let both = ImportOptions { skip_duplicates: true, update_existing: true };
    let import = lab.import("email,city\na@x.de,Bonn\na@x.de,Ulm\n", both).await;
    assert_eq!(counts(&import), [1, 1, 0, 0, 0]);
    assert_eq!(lab.contacts("city || version").await, ["Ulm2"]);
}

/// However the file is cut into batches, rows of one key are applied one after the other.
#[tokio::test]
async fn rows_of_one_key_follow_one_another() {
    let text = "email,city,notes\na@x.de,1,\nb@x.de,1,\na@x.de,2,x\na@x.de,,y\na@x.de,2,y\nb@x.de,2,\na@x.de,1,y\n";
    for rows in [1, 2, 3, 100] {
        let lab = Lab::in_batches(rows).await;
        assert_eq!(counts(&lab.import(text, UPDATE).await), [2, 4, 1, 0, 0], "{rows}");
        assert_eq!(lab.contacts("email || city || version").await, ["a@x.de14", "b@x.de22"], "{rows}");
        let history =
            "SELECT version || before::text || after::text AS value FROM record_changes ORDER BY record_id, version";
        assert_eq!(
            lab.texts(history).await,
            [
                r#"2{"city": "1", "notes": null}{"city": "2", "notes": "x"}"#,
                r#"3{"notes": "x"}{"notes": "y"}"#,
                r#"4{"city": "2"}{"city": "1"}"#,
                r#"2{"city": "1"}{"city": "2"}"#,
            ],
            "{rows}"
        );
    }
}

/// More rows of one key than a batch takes one after the other.
#[tokio::test]
async fn a_file_of_one_key_only_is_imported_too() {
    let lab = Lab::new().await;
    let rows: String = (0..130).map(|row| format!("a@x.de,{row}\n")).collect();
    let import = lab.import(format!("email,city\n{rows}"), UPDATE).await;
    assert_eq!(counts(&import), [1, 129, 0, 0, 0]);
    assert_eq!(lab.contacts("city || ' ' || version").await, ["129 130"]);
}

#[tokio::test]
async fn a_deleted_record_is_no_duplicate() {
    let lab = Lab::new().await;
    lab.import("email\na@x.de\n", NEITHER).await;
    let id = lab.contacts("id").await[0].parse().expect("an id");
    ops::delete::<Contact>(&lab.ctx, &lab.caller, id, None).await.expect("deleted");
    assert_eq!(counts(&lab.import("email\na@x.de\n", NEITHER).await), [1, 0, 0, 0, 0]);
}

/// The history of an import reads like that of any other change.
#[tokio::test]
async fn an_update_is_written_into_the_history_as_a_single_one_would_be() {
    let lab = Lab::new().await;
    let account = lab.create_as(&lab.caller, kontor::crm::RecordKind::Account, b"name\nAcme\n", NEITHER).await;
    let worker = lab.worker();
    lab.ended(account.id).await;
    drop(worker);
    let account = &lab.texts("SELECT id::text AS value FROM accounts").await[0];
    let times = ["2026-01-31", "2026-01-31T09:30:00.25Z", "2026-01-31T09:30:00.123456+02:00"];
    for (number, time) in times.into_iter().enumerate() {
        let values = [
            ("first_name", "J\u{f6}rg \"x\""),
            ("status", "customer"),
            ("account_id", account),
            ("assigned_to", &lab.caller.user.to_string()),
            ("last_contact_date", time),
            ("tags", "a;b"),
        ];
        let (single, bulk) = (format!("single{number}@x.de"), format!("bulk{number}@x.de"));
        lab.import(format!("email\n{single}\n{bulk}\n"), NEITHER).await;
        let ids = lab.contacts("id || email").await;
        let id = ids.iter().find_map(|id| id.strip_suffix(&single)).expect("made").parse().expect("an id");
        let field = |name| Contact::FIELDS.iter().find(|field| field.rest == name).expect("a field");
        let input = values.iter().map(|(name, value)| (field(*name), Raw::Text(value))).collect();
        let caller = lab.caller.clone().via(Via::Graphql);
        ops::update::<Contact>(&lab.ctx, &caller, id, None, input).await.expect("updated");

        let (names, cells): (Vec<_>, Vec<_>) =
            values.iter().map(|(name, value)| (*name, format!("\"{}\"", value.replace('"', "\"\"")))).unzip();
        let text = format!("email,{}\n{bulk},{}\n", names.join(","), cells.join(","));
        assert_eq!(counts(&lab.import(text, UPDATE).await), [0, 1, 0, 0, 0]);
        let history = |email: &str| {
            format!(
                "SELECT h.before::text || h.after::text || h.version AS value \
                   FROM record_changes h JOIN contacts c ON c.id = h.record_id WHERE c.email = '{email}'"
            )
        };
        let (one, many) = (lab.texts(&history(&single)).await, lab.texts(&history(&bulk)).await);
        assert_eq!(one.len(), 1);
        assert_eq!(one, many);
    }
}
