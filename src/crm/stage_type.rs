//! What the stages of pipelines tell of the deals on them. Apart from `pipelines`, for lists of records
//! know it as well.

use crate::text_enum;

text_enum! {
    /// What it means that a deal stands on a stage.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "StageType")]
    pub enum StageType {
        Open = "open",
        Won = "won",
        Lost = "lost",
    }
}
