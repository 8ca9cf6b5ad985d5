//! The one table of who may do what. A row is a permission, a column a role; API tokens narrow it
//! further by scopes, which are the permissions' own names.

use crate::text_enum;

text_enum! {
    /// What a member is in a workspace.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "Role")]
    pub enum Role {
        Admin = "admin",
        Manager = "manager",
        SalesRep = "sales_rep",
        Support = "support",
    }
}

/// How far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    No,
    /// Only records that the caller owns, or made where there is no owner.
    Own,
    All,
}

use Grant::{All, No, Own};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $scope:literal: $admin:ident $manager:ident $sales:ident $support:ident,)+) => {
        /// Something an operation asks for. Its scope name is what API tokens carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$doc])* $name,)+ }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// `noun:verb`, as in a token's scopes.
            pub fn scope(self) -> &'static str {
                match self { $(Self::$name => $scope,)+ }
            }

            pub fn grant(self, role: Role) -> Grant {
                let (admin, manager, sales_rep, support) = match self { $(Self::$name => ($admin, $manager, $sales, $support),)+ };
                match role {
                    Role::Admin => admin,
                    Role::Manager => manager,
                    Role::SalesRep => sales_rep,
                    Role::Support => support,
                }
            }
        }
    };
}

permissions! {
    //                                              admin manager sales_rep support
    ContactsRead = "contacts:read":                 All   All     All       All,
    ContactsWrite = "contacts:write":               All   All     All       All,
    ContactsDelete = "contacts:delete":             All   All     Own       No,
    AccountsRead = "accounts:read":                 All   All     All       All,
    AccountsWrite = "accounts:write":               All   All     All       No,
    AccountsDelete = "accounts:delete":             All   All     Own       No,
    /// One's own are those that are one's or nobody's.
    LeadsRead = "leads:read":                       All   All     Own       No,
    LeadsWrite = "leads:write":                     All   All     Own       No,
    LeadsDelete = "leads:delete":                   All   All     Own       No,
    DealsRead = "deals:read":                       All   All     All       All,
    DealsWrite = "deals:write":                     All   All     All       No,
    DealsDelete = "deals:delete":                   All   All     Own       No,
    ProductsRead = "products:read":                 All   All     All       All,
    ProductsWrite = "products:write":               All   All     All       No,
    ProductsDelete = "products:delete":             All   All     Own       No,
    TasksRead = "tasks:read":                       All   All     All       All,
    TasksWrite = "tasks:write":                     All   All     All       Own,
    TasksDelete = "tasks:delete":                   All   All     Own       No,
    /// Make and change the pipelines of deals.
    PipelinesManage = "pipelines:manage":           All   All     No        No,
    /// See lists: what a caller may do with a given one, its sharing decides.
    ListsRead = "lists:read":                       All   All     All       All,
    ListsWrite = "lists:write":                     All   All     All       All,
    /// Give a record to somebody else. Taking an unowned one needs no more than writing.
    RecordsAssign = "records:assign":               All   All     No        No,
    /// Change many records at once, by a job.
    RecordsBulk = "records:bulk":                   All   All     No        No,
    ImportsRun = "imports:run":                     All   All     All       No,
    /// See and steer jobs, imports and exports: one's own, or everybody's.
    JobsRead = "jobs:read":                         All   All     Own       Own,
    JobsWrite = "jobs:write":                       All   Own     Own       Own,
    /// Get links to files: one's own, or everybody's.
    FilesRead = "files:read":                       All   Own     Own       Own,
    /// Send files, and use those that one has sent.
    FilesWrite = "files:write":                     Own   Own     Own       Own,
    UsersRead = "users:read":                       All   All     Own       Own,
    UsersWrite = "users:write":                     All   Own     Own       Own,
    /// Invite, deactivate, change roles.
    UsersManage = "users:manage":                   All   No      No        No,
    /// Make teams, and say who is in them.
    TeamsManage = "teams:manage":                   All   All     No        No,
    TokensManage = "tokens:manage":                 All   Own     Own       Own,
    /// Define custom fields.
    FieldsManage = "fields:manage":                 All   No      No        No,
    WorkspaceManage = "workspace:manage":           All   No      No        No,
    AuditRead = "audit:read":                       All   No      No        No,
}

impl Permission {
    pub fn from_scope(scope: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.scope() == scope)
    }
}
