//! Relay connections over our pages.

use async_graphql::SimpleObject;

/// Whether there is more, and where.
#[derive(SimpleObject)]
#[graphql(name = "PageInfo")]
pub struct PageInfo {
    /// Whether there are rows after the last one shown.
    pub has_next_page: bool,
    /// Whether there are rows before the first one shown.
    pub has_previous_page: bool,
    /// Pass as `before` to go back.
    pub start_cursor: Option<String>,
    /// Pass as `after` to go on.
    pub end_cursor: Option<String>,
}

/// Defines a connection and its edge. `totalCount` comes from a block of the connection's own, run
/// only when asked for, with what the list was filtered by (or whatever else tells the count):
/// `connection!(JobConnection JobEdge of JobObject, "JobConnection" "JobEdge", count(filter: JobFilter,
/// context) { ... })`. The node says which of its fields need no future: see `leaves::Leaves`.
#[macro_export]
macro_rules! connection {
    ($connection:ident $edge:ident of $node:ty, $connection_name:literal $edge_name:literal, count($filter:ident: $filter_type:ty, $context:ident) $count:block) => {
        /// A page of a list, in order.
        pub struct $connection {
            edges: Vec<$edge>,
            has_next: bool,
            has_previous: bool,
            /// For the count.
            filter: $filter_type,
        }

        /// One row of the page.
        #[derive(Clone)]
        pub struct $edge {
            cursor: String,
            node: $node,
        }

        impl $connection {
            /// A page as an operation returned it; `edge` gives each row its cursor.
            pub fn new<T>(
                slice: $crate::base::page::Slice<T>,
                filter: $filter_type,
                edge: impl Fn(T) -> (String, $node),
            ) -> Self {
                let edges = slice.rows.into_iter().map(edge).map(|(cursor, node)| $edge { cursor, node });
                let (has_next, has_previous) = (slice.has_next, slice.has_previous);
                Self { edges: edges.collect(), has_next, has_previous, filter }
            }
        }

        #[async_graphql::Object(name = $edge_name)]
        impl $edge {
            /// Pass as `after` or `before` to page from here.
            async fn cursor(&self) -> &str {
                &self.cursor
            }

            async fn node(&self) -> $crate::graphql::leaves::Row<'_, $node> {
                $crate::graphql::leaves::Row(&self.node)
            }
        }

        #[async_graphql::Object(name = $connection_name)]
        impl $connection {
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }

            /// The rows without their cursors.
            async fn nodes(&self) -> Vec<$crate::graphql::leaves::Row<'_, $node>> {
                self.edges.iter().map(|edge| $crate::graphql::leaves::Row(&edge.node)).collect()
            }

            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                $crate::graphql::page::PageInfo {
                    has_next_page: self.has_next,
                    has_previous_page: self.has_previous,
                    start_cursor: self.edges.first().map(|edge| edge.cursor.clone()),
                    end_cursor: self.edges.last().map(|edge| edge.cursor.clone()),
                }
            }

            /// How many rows there are in all; counted only when asked for.
            async fn total_count(&self, $context: &async_graphql::Context<'_>) -> async_graphql::Result<i64> {
                let $filter = &self.filter;
                Ok($count)
            }
        }
    };
}
