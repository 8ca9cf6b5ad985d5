//! The text of a page by cursor, for whoever chooses records: all of them, what criteria mean, a list.

use super::order::{At, Sort};

/// Placeholders: of the cursor's id and value, and of how many rows are wanted at most.
pub struct Places<'a> {
    pub id: &'a str,
    pub value: &'a str,
    pub limit: &'a str,
}

/// A page of the records `r` of this `FROM ... WHERE ...`: their ids, and the values that they are
/// sorted by as text.
///
/// Nulls stand where the index has them: last when ascending, first when descending. A page is at
/// most two runs of the index, the nulls and the rest, because `OR` between them would read it
/// from its start.
pub fn keyset(base: &str, sort: Option<Sort>, descending: bool, from: Option<&At>, places: &Places<'_>) -> String {
    let (way, beyond) = if descending { ("DESC", "<") } else { ("ASC", ">") };
    let Places { id, value, limit } = places;
    let Some(Sort { column, sql_type }) = sort else {
        let behind = from.map(|_| format!(" AND r.id {beyond} {id}")).unwrap_or_default();
        return format!(
            "SELECT r.id, NULL::text AS value {base}{behind} ORDER BY r.workspace_id {way}, r.id {way} LIMIT {limit}"
        );
    };
    let run = |part: i32, condition: &str, order: &str| {
        format!(
            "(SELECT {part} AS part, r.id, r.{column}::text AS value, r.{column} AS sorted {base} AND {condition} \
             ORDER BY {order} LIMIT {limit})"
        )
    };
    let by_both = format!("r.workspace_id {way}, r.{column} {way}, r.id {way}");
    let by_id = format!("r.workspace_id {way}, r.id {way}");
    let rest_part = i32::from(descending);
    let nulls_part = 1 - rest_part;
    let (is_null, is_not_null) = (format!("r.{column} IS NULL"), format!("r.{column} IS NOT NULL"));
    let rest_from = format!("(r.{column}, r.id) {beyond} ({value}::{sql_type}, {id}::uuid)");
    let nulls_from = format!("r.{column} IS NULL AND r.id {beyond} {id}");
    let (rest, nulls) = match from {
        None => (Some(is_not_null), Some(is_null)),
        Some(At { value: Some(_), .. }) => (Some(rest_from), (!descending).then_some(is_null)),
        Some(At { value: None, .. }) => (descending.then_some(is_not_null), Some(nulls_from)),
    };
    let runs: Vec<_> = rest
        .map(|condition| run(rest_part, &condition, &by_both))
        .into_iter()
        .chain(nulls.map(|condition| run(nulls_part, &condition, &by_id)))
        .collect();
    format!(
        "SELECT id, value FROM ({}) AS runs ORDER BY part, sorted {way}, id {way} LIMIT {limit}",
        runs.join(" UNION ALL ")
    )
}
