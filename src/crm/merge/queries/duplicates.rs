//! The SQL that finds duplicates. It runs under the system role with the workspace bound: similarity and
//! functions are not leak-proof, and under row-level security their indexes would not be used.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Bool, Float4, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

use super::super::model::DuplicateGroup;
use crate::{
    base::{Result, ids::WorkspaceId},
    crm::record::{RecordKind, Sight, search::END_OF_TEXT},
};

/// Candidates of one reason that are looked at; a name that thousands have would bring all of them.
const MOST: usize = 200;

/// The keys of the phone numbers `$4`. Shorter ones are extensions and the like, and say nothing.
const KEYS: &str = "ARRAY(SELECT phone_key(p) FROM unnest($4) AS own (p) WHERE length(phone_key(p)) >= 6)";

/// What a record is looked for by.
#[derive(Debug, Default)]
pub struct Marks {
    pub emails: Vec<String>,
    pub phones: Vec<String>,
    /// In lower case.
    pub name: Option<String>,
    pub account: Option<Uuid>,
    /// A lead's, in lower case.
    pub company: Option<String>,
}

#[derive(Debug, QueryableByName)]
pub struct Candidate {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Bool)]
    pub email: bool,
    #[diesel(sql_type = Bool)]
    pub phone: bool,
    /// How similar the names are, from 0 to 1.
    #[diesel(sql_type = Float4)]
    pub name: f32,
    /// Whether both are of one company.
    #[diesel(sql_type = Bool)]
    pub company: bool,
}

/// A record's name as it is compared.
fn name_of(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Lead | RecordKind::Contact => "lower(concat_ws(' ', r.first_name, r.last_name))",
        RecordKind::Task => "lower(r.title)",
        RecordKind::Account | RecordKind::Deal | RecordKind::Product => "lower(r.name)",
    }
}

/// The columns that hold phone numbers.
fn phones_of(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Contact => &["phone", "mobile"],
        RecordKind::Lead | RecordKind::Account => &["phone"],
        RecordKind::Deal | RecordKind::Product | RecordKind::Task => &[],
    }
}

/// Whether a record has its company in common with the marks: `$6` an account, `$7` a company's name, `$3`
/// e-mail addresses, of which the domains count unless everybody has theirs there.
fn company_of(kind: RecordKind) -> String {
    const OPEN: &str = "('gmail.com', 'googlemail.com', 'outlook.com', 'hotmail.com', 'live.com', 'yahoo.com', 'icloud.com', \
        'gmx.de', 'gmx.net', 'web.de', 'aol.com', 'proton.me', 'protonmail.com', 'mail.ru')";
    let domain = format!(
        "EXISTS (SELECT FROM unnest($3) AS own (email) WHERE split_part(own.email, '@', 2) = split_part(r.email, '@', 2) \
            AND split_part(r.email, '@', 2) NOT IN {OPEN})"
    );
    match kind {
        RecordKind::Contact => format!("coalesce(r.account_id = $6, false) OR {domain}"),
        RecordKind::Lead => format!("coalesce(lower(r.company) = $7, false) OR {domain}"),
        RecordKind::Deal => "coalesce(r.account_id = $6, false)".to_owned(),
        RecordKind::Account | RecordKind::Product | RecordKind::Task => "false".to_owned(),
    }
}

/// Live records in sight that have a mark of this one, in no order. Each mark has an index.
pub async fn candidates(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (kind, id): (RecordKind, Uuid),
    sight: Sight,
    marks: &Marks,
) -> Result<Vec<Candidate>> {
    // how much of a name must be found in a row before it is looked at
    connection.batch_execute("SET LOCAL pg_trgm.word_similarity_threshold = 0.6").await?;
    let (table, name) = (kind.table(), name_of(kind));
    let mut found = Vec::new();
    if kind == RecordKind::Lead || kind == RecordKind::Contact {
        found
            .push(format!("SELECT id FROM {table} WHERE workspace_id = $1 AND deleted_at IS NULL AND email = ANY($3)"));
    }
    let has_key: Vec<_> = phones_of(kind).iter().map(|column| format!("phone_key(r.{column}) = k.key")).collect();
    if !has_key.is_empty() {
        // a key is a part of the digits in the search text, whose index serves; key by key, for it takes one
        found.push(format!(
            "SELECT c.id FROM unnest({KEYS}) AS k (key) CROSS JOIN LATERAL ( \
               SELECT r.id FROM {table} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL \
                  AND r.search_text LIKE '%{END_OF_TEXT}%' || k.key || '%' AND ({}) LIMIT {MOST}) AS c",
            has_key.join(" OR ")
        ));
    }
    let extra_email = "SELECT x.contact_id AS id FROM contact_extra_addresses x WHERE x.workspace_id = $1 \
         AND x.kind = 'email' AND x.is_live AND x.address = ANY($3)";
    let extra_phone = format!(
        "SELECT x.contact_id AS id FROM contact_extra_addresses x WHERE x.workspace_id = $1 \
         AND x.kind = 'phone' AND x.is_live AND phone_key(x.address) = ANY({KEYS})"
    );
    if kind == RecordKind::Contact {
        found.extend([extra_email.to_owned(), extra_phone.clone()]);
    }
    found.push(format!(
        "SELECT r.id FROM {table} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL AND $5 <% r.search_text \
          ORDER BY similarity({name}, $5) DESC LIMIT {MOST}"
    ));
    let found: Vec<_> = found.iter().map(|part| format!("(SELECT id FROM ({part}) AS part LIMIT {MOST})")).collect();
    let has_phone = |column: &&str| format!("phone_key(r.{column}) = ANY({KEYS})");
    let mut phone: Vec<_> = phones_of(kind).iter().map(has_phone).collect();
    let mut email = vec![];
    if kind == RecordKind::Lead || kind == RecordKind::Contact {
        email.push("r.email = ANY($3)".to_owned());
    }
    if kind == RecordKind::Contact {
        email.push(format!("r.id IN ({extra_email})"));
        phone.push(format!("r.id IN ({extra_phone})"));
    }
    let any = |conditions: &[String]| match conditions {
        [] => "false".to_owned(),
        some => format!("coalesce({}, false)", some.join(" OR ")),
    };
    let statement = format!(
        "WITH found AS MATERIALIZED ({}) \
         SELECT r.id, {} AS email, {} AS phone, coalesce(similarity({name}, $5), 0) AS name, {} AS company \
           FROM {table} r WHERE r.workspace_id = $1 AND r.id IN (SELECT id FROM found) AND r.id <> $2 \
            AND r.deleted_at IS NULL AND ($6::uuid IS NULL OR true) AND ($7::text IS NULL OR true) \
            AND ($3::text[] IS NULL OR true) AND ($4::text[] IS NULL OR true){}",
        found.join(" UNION "),
        any(&email),
        any(&phone),
        company_of(kind),
        sight.condition()
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<SqlUuid, _>(id)
        .bind::<Array<Text>, _>(&marks.emails)
        .bind::<Array<Text>, _>(&marks.phones)
        .bind::<Nullable<Text>, _>(&marks.name)
        .bind::<Nullable<SqlUuid>, _>(marks.account)
        .bind::<Nullable<Text>, _>(&marks.company)
        .load(connection)
        .await?)
}

/// By what the records of a group are taken for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Email,
    Phone,
    Name,
}

/// Key and record of all live ones in sight that have such a mark.
fn marked(kind: RecordKind, mark: Mark, sight: Sight) -> String {
    let (table, sight) = (kind.table(), sight.condition());
    let of = |key: &str| {
        format!("SELECT {key} AS key, r.id FROM {table} r WHERE r.workspace_id = $1 AND r.deleted_at IS NULL{sight}")
    };
    match mark {
        Mark::Email => of("r.email"),
        Mark::Name => of(&format!("nullif({}, '')", name_of(kind))),
        Mark::Phone => {
            let mut parts: Vec<_> = phones_of(kind)
                .iter()
                .map(|column| format!("{} AND r.{column} IS NOT NULL", of(&format!("phone_key(r.{column})"))))
                .collect();
            if kind == RecordKind::Contact {
                parts.push(
                    "SELECT phone_key(x.address) AS key, x.contact_id AS id FROM contact_extra_addresses x \
                      WHERE x.workspace_id = $1 AND x.kind = 'phone' AND x.is_live"
                        .to_owned(),
                );
            }
            // one record may have a number twice
            parts.join(" UNION ")
        }
    }
}

/// Whether a key is one that groups.
fn says_something(mark: Mark) -> &'static str {
    if mark == Mark::Phone { "length(key) >= 6" } else { "key IS NOT NULL" }
}

/// Groups of more than one, in the order of their keys beyond one of them; of each the oldest records.
pub async fn groups(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (kind, mark): (RecordKind, Mark),
    sight: Sight,
    after: Option<&str>,
    (most, shown): (i64, i64),
) -> Result<Vec<DuplicateGroup>> {
    let statement = format!(
        "SELECT key, count(*) AS count, (array_agg(id ORDER BY id))[1:$4] AS ids FROM ({}) AS marked \
          WHERE {} AND ($2 IS NULL OR key COLLATE \"C\" > $2) \
          GROUP BY key HAVING count(*) > 1 ORDER BY key COLLATE \"C\" LIMIT $3",
        marked(kind, mark, sight),
        says_something(mark)
    );
    Ok(sql_query(statement)
        .bind::<SqlUuid, _>(workspace)
        .bind::<Nullable<Text>, _>(after)
        .bind::<BigInt, _>(most)
        .bind::<BigInt, _>(shown)
        .load(connection)
        .await?)
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

pub async fn count_groups(
    connection: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    (kind, mark): (RecordKind, Mark),
    sight: Sight,
) -> Result<i64> {
    let statement = format!(
        "SELECT count(*) AS count FROM (SELECT key FROM ({}) AS marked WHERE {} \
            GROUP BY key HAVING count(*) > 1) AS groups",
        marked(kind, mark, sight),
        says_something(mark)
    );
    Ok(sql_query(statement).bind::<SqlUuid, _>(workspace).get_result::<Counted>(connection).await?.count)
}
