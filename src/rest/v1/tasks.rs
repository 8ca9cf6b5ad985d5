//! `/tasks`: the common rules of records, see `records`. What a task is about goes by
//! `related_to_type` and `related_to_id`, which stand for the four links that a task may have.

use serde_json::{Value as Json, json};
use utoipa_axum::router::OpenApiRouter;

use super::{
    published::{Object, Published},
    records,
};
use crate::{
    auth::Caller,
    base::{Error, Result},
    crm::{Task, record::Field, tasks::ABOUT},
    ctx::Ctx,
};

const TYPE: &str = "related_to_type";
const ID: &str = "related_to_id";

/// The words of the type, with the fields that hold the ids.
const LINKS: [(&str, &str); 4] =
    [("lead", "lead_id"), ("contact", "contact_id"), ("account", "account_id"), ("deal", "deal_id")];

impl Published for Task {
    const PATH: &'static str = "/tasks";
    const PLURAL: &'static str = "Tasks";
    const REQUIRED: &'static [&'static str] = &["title"];
    const LIMIT: i64 = 1000;
    const SEARCHED: &'static str = "title and description";
    const STANDING_FOR: &'static [Field] = ABOUT;

    fn understand(content: &mut Object) -> Result<()> {
        let (id, kind) = (content.remove(ID), content.remove(TYPE));
        // a type without an id says nothing by itself
        let Some(id) = id else { return Ok(()) };
        let is_none = |value: &Json| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if is_none(&id) {
            LINKS.iter().for_each(|(_, link)| drop(content.insert((*link).to_owned(), Json::Null)));
            return Ok(());
        }
        let word = kind.as_ref().and_then(Json::as_str).map(str::to_ascii_lowercase).unwrap_or_default();
        let Some((_, wanted)) = LINKS.iter().find(|(known, _)| *known == word) else {
            return Err(Error::invalid("relatedToType", "must be lead, contact, account or deal"));
        };
        for (_, link) in LINKS {
            let value = if link == *wanted { id.clone() } else { Json::Null };
            content.insert(link.to_owned(), value);
        }
        Ok(())
    }

    async fn complete_printed(_: &Ctx, _: &Caller, _: &[Self], printed: &mut [Object]) -> Result<()> {
        for object in printed {
            let about = LINKS.iter().find_map(|(word, link)| {
                let id = object.get(*link).filter(|id| !id.is_null())?;
                Some((*word, id.clone()))
            });
            object.insert(TYPE.to_owned(), json!(about.as_ref().map(|(word, _)| word)));
            object.insert(ID.to_owned(), json!(about.map(|(_, id)| id)));
        }
        Ok(())
    }
}

pub fn routes() -> OpenApiRouter<Ctx> {
    records::routes::<Task>()
}
