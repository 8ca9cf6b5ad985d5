//! What good rows become.

use kontor::{
    auth::Role,
    crm::RecordKind,
    transfer::import::{ImportStatus, Mapping},
};

use super::lab::{Lab, NEITHER, counts, create_mapped};

#[tokio::test]
async fn rows_become_contacts_in_the_order_of_the_file() {
    let lab = Lab::in_batches(2).await;
    let text = "\u{feff}E-Mail;Surname;First Name;Company;Notes\r\n\
                 Anna@Example.COM ;M\u{fc}ller;Anna;Acme;\"two\r\nlines; and a \"\"quote\"\"\"\r\n\
                 \r\n\
                 b@example.com;\u{738b};;Globex;\r\n\
                 ;Nobody's mail;;;\r\n\
                 jo\u{308}rg@b\u{fc}cher.de;;J;;";
    let import = lab.import(text, NEITHER).await;
    assert_eq!(counts(&import), [4, 0, 0, 0, 0]);
    let mapping = [("E-Mail", "email"), ("Surname", "lastName"), ("First Name", "firstName"), ("Notes", "notes")];
    let mapping: Mapping = mapping.map(|(column, field)| (column.to_owned(), field.to_owned())).into();
    assert_eq!(import.mapping, mapping);
    assert!(import.started_at.is_some() && import.completed_at.is_some());
    assert_eq!(
        lab.contacts("jsonb_build_array(email, last_name, first_name, notes, source, version)").await,
        [
            "[\"anna@example.com\", \"M\u{fc}ller\", \"Anna\", \"two\\r\\nlines; and a \\\"quote\\\"\", \"website\", 1]",
            "[\"b@example.com\", \"\u{738b}\", null, null, \"website\", 1]",
            "[null, \"Nobody's mail\", null, null, \"website\", 1]",
            "[\"j\u{f6}rg@xn--bcher-kva.de\", null, \"J\", null, \"website\", 1]",
        ]
    );
    let creators = lab.contacts("created_by").await;
    assert!(creators.iter().all(|creator| *creator == lab.caller.user.to_string()));
}

#[tokio::test]
async fn events_tell_of_the_import_and_of_its_records_in_batches() {
    let lab = Lab::in_batches(2).await;
    let import = lab.import("email\na@x.de\nb@x.de\nc@x.de\n", NEITHER).await;
    assert_eq!(counts(&import), [3, 0, 0, 0, 0]);
    let events = lab
        .texts(
            "SELECT name || ' ' || cardinality(record_ids) || ' ' || (actor->>'kind') || ' ' || payload::text AS value \
               FROM outbox ORDER BY id",
        )
        .await;
    assert_eq!(
        events,
        [
            "import.created 1 system {}",
            "import.started 1 import {}",
            "record.created 2 import {\"changed\": []}",
            "record.created 1 import {\"changed\": []}",
            "import.completed 1 import \
             {\"failed\": 0, \"created\": 3, \"skipped\": 0, \"updated\": 0, \"unchanged\": 0}",
        ]
    );
    let told = "SELECT count(*) AS value FROM contacts c JOIN outbox o ON c.id = ANY(o.record_ids)";
    assert_eq!(lab.number(told).await, 3);
    let progress = lab.texts("SELECT progress::text AS value FROM jobs").await;
    assert_eq!(progress, ["{\"total\": 3, \"failed\": 0, \"skipped\": 0, \"processed\": 3, \"succeeded\": 3}"]);
}

#[tokio::test]
async fn every_type_of_field_arrives_as_the_other_faces_would_write_it() {
    let lab = Lab::new().await;
    let account = lab
        .create_as(
            &lab.caller,
            RecordKind::Account,
            b"name,accountNumber,annual_revenue,employees,tags\n\
        Acme,A1,1200.50,7,\"x, y;x\"\n,A2,1,1,\n",
            NEITHER,
        )
        .await;
    let _worker = lab.worker();
    let import = lab.ended(account.id).await;
    assert_eq!(counts(&import), [1, 0, 0, 0, 1]);
    assert_eq!(lab.codes(import.id).await, [(2, String::new(), "MISSING_VALUE")]);
    let row = "SELECT jsonb_build_array(id, annual_revenue, employees, tags)::text AS value FROM accounts";
    let [row] = &lab.texts(row).await[..] else { panic!("one account") };
    assert!(row.contains("1200.5000, 7, [\"x\", \"y\"]"), "{row}");
    let id = &row[2..38];

    let text = format!(
        "email,accountId,ownerId,lastContactDate,status,linkedin,tags\n\
         a@x.de,{id},{},2026-01-31T10:30:00.5+01:00,Customer,https://x.de/a,\n",
        lab.caller.user
    );
    let import = lab.create(text, NEITHER).await;
    let import = lab.ended(import.id).await;
    assert_eq!(counts(&import), [1, 0, 0, 0, 0]);
    let [row] = &lab.contacts("jsonb_build_array(account_id, owner_id, last_contact_date, status, tags)").await[..]
    else {
        panic!("one contact")
    };
    let user = lab.caller.user;
    assert_eq!(*row, format!("[\"{id}\", \"{user}\", \"2026-01-31T09:30:00.5+00:00\", \"customer\", []]"));
}

#[tokio::test]
async fn a_given_mapping_decides() {
    let lab = Lab::new().await;
    let text = "Mail,Email,Town\na@x.de,wrong,Bonn\n";
    let mapping = [("Mail", Some("email")), ("Town", Some("city")), ("Email", None)];
    let import = create_mapped(&lab, &lab.caller, text, &mapping, NEITHER).await.expect("created");
    assert_eq!(import.status, ImportStatus::Pending);
    let _worker = lab.worker();
    assert_eq!(counts(&lab.ended(import.id).await), [1, 0, 0, 0, 0]);
    assert_eq!(lab.contacts("email || ' ' || city").await, ["a@x.de Bonn"]);
}

#[tokio::test]
async fn two_imports_at_once_share_out_the_addresses_they_both_have() {
    let lab = Lab::in_batches(7).await;
    let rows = |from: i32, to: i32| (from..to).map(|row| format!("u{row}@x.de,{row}\n")).collect::<String>();
    let reversed: String = (0..200).rev().map(|row| format!("u{row}@x.de,{row}\n")).collect();
    let one = lab.create(format!("email,city\n{}", rows(0, 300)), super::lab::SKIP).await;
    let two = lab.create(format!("email,city\n{reversed}"), super::lab::UPDATE).await;
    let colleague = lab.colleague(Role::Manager).await;
    let text = format!("email,city\n{}", rows(100, 400));
    let three = lab.create_as(&colleague, RecordKind::Contact, text.as_bytes(), super::lab::UPDATE).await;
    let stranger = lab.stranger().await;
    let other = lab.create_as(&stranger, RecordKind::Contact, text.as_bytes(), NEITHER).await;
    let (_a, _b) = (lab.worker(), lab.worker());
    let mut created = 0;
    for import in [one.id, two.id, three.id] {
        let import = lab.ended(import).await;
        let [new, updated, _, _, failed] = counts(&import);
        assert_eq!((updated, failed), (0, 0), "they all say the same");
        created += new;
    }
    assert_eq!(created, 400);
    assert_eq!(lab.contacts("email").await.len(), 400);
    crate::support::eventually("the other workspace's import is done", async || {
        let import = kontor::transfer::import::get(&lab.ctx, &stranger, other.id).await.expect("theirs");
        import.status == ImportStatus::Completed && import.counts.created == 300
    })
    .await;
}
