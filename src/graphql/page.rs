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

/// Defines a connection and its edge: `connection!(ContactConnection, ContactEdge, ContactObject,
/// "Contact", "ContactConnection", "ContactEdge")`. `totalCount` comes from a closure-like function
/// of the connection's own, run only when asked for.
#[macro_export]
macro_rules! connection {
    ($connection:ident $edge:ident of $node:ty, $connection_name:literal $edge_name:literal, count($this:ident, $context:ident) $count:block) => {
        /// A page of a list, in order.
        pub struct $connection {
            pub edges: Vec<$edge>,
            pub has_next: bool,
            pub has_previous: bool,
            /// What the list was asked for, for the count.
            pub search: Option<String>,
        }

        /// One row of the page.
        #[derive(Clone)]
        pub struct $edge {
            pub cursor: String,
            pub node: $node,
        }

        #[async_graphql::Object(name = $edge_name)]
        impl $edge {
            /// Pass as `after` or `before` to page from here.
            async fn cursor(&self) -> &str {
                &self.cursor
            }

            async fn node(&self) -> &$node {
                &self.node
            }
        }

        #[async_graphql::Object(name = $connection_name)]
        impl $connection {
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }

            /// The rows without their cursors.
            async fn nodes(&self) -> Vec<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
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
                let $this = self;
                $count
            }
        }
    };
}
