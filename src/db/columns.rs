//! How our closed enums stand in text columns: as the lower-case word that REST prints too. And how
//! lists are paged that are in the order of their ids.

/// Gives an enum its word in the database, in REST and in criteria, and its diesel mapping.
///
/// ```ignore
/// text_enum! { Role { Admin = "admin", SalesRep = "sales_rep" } }
/// ```
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Text)]
        $vis enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word in the database and in REST.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Reads the word; the error lists what is allowed.
            pub fn parse(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", Self::WORDS.join(", "))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                std::io::Write::write_all(out, self.as_str().as_bytes())?;
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                Self::parse(std::str::from_utf8(bytes.as_bytes())?).map_err(Into::into)
            }
        }
    };
}

/// Puts a boxed query into the order of an id, newest first, and cuts it at the page's cursor.
#[macro_export]
macro_rules! newest_first {
    ($query:expr, $page:expr, $id:path) => {
        match ($page.is_backward(), $page.from) {
            (false, None) => $query.order($id.desc()),
            (false, Some(from)) => $query.filter($id.lt(from)).order($id.desc()),
            (true, None) => $query.order($id.asc()),
            (true, Some(from)) => $query.filter($id.gt(from)).order($id.asc()),
        }
    };
}
