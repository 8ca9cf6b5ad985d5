//! Who may what, written down from the decision about access and not from the program, so that the
//! two can be compared. "Everybody reads contacts, accounts, deals, products, tasks; sales_rep reads leads
//! that are theirs or nobody's, writes records, deletes own; support writes contacts and their own
//! tasks, deletes nothing; manager also assigns, deletes, sees all jobs; admin
//! also users, tokens of others, fields, audit. Jobs and files are their maker's (and admins')."

use kontor::auth::Role;

/// How far a right reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nowhere: refused.
    No,
    /// To what is one's own; what is others' does not exist.
    Own,
    /// To what is one's own; what is others' can be seen, and touching it is refused.
    OwnOfSeen,
    All,
}

/// What an API token needs for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Named(&'static str),
    /// Nothing: every token will do.
    Any,
    /// To be made for everything; one with scopes is refused, whatever they are.
    Whole,
    /// Tokens have no session, so there is nothing it could be done to.
    Session,
}

use Reach::{All, No, Own, OwnOfSeen};
use Scope::{Any, Named, Session, Whole};

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident: $scope:expr => $admin:ident $manager:ident $sales_rep:ident $support:ident,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Right { $($(#[$doc])* $name,)+ }

        impl Right {
            pub fn scope(self) -> Scope {
                match self { $(Self::$name => $scope,)+ }
            }

            pub fn reach(self, role: Role) -> Reach {
                let [admin, manager, sales_rep, support] =
                    match self { $(Self::$name => [$admin, $manager, $sales_rep, $support],)+ };
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

rights! {
    //                                         admin manager   sales_rep support
    ReadContacts: Named("contacts:read") =>    All   All       All       All,
    WriteContacts: Named("contacts:write") =>  All   All       All       All,
    DeleteContacts: Named("contacts:delete") => All  All       OwnOfSeen No,
    ReadAccounts: Named("accounts:read") =>    All   All       All       All,
    WriteAccounts: Named("accounts:write") =>  All   All       All       No,
    DeleteAccounts: Named("accounts:delete") => All  All       OwnOfSeen No,
    ReadLeads: Named("leads:read") =>          All   All       Own       No,
    /// To know what leads there may be.
    MayReadLeads: Named("leads:read") =>       All   All       All       No,
    WriteLeads: Named("leads:write") =>        All   All       Own       No,
    /// A new one is one's own.
    MakeLeads: Named("leads:write") =>         All   All       All       No,
    DeleteLeads: Named("leads:delete") =>      All   All       Own       No,
    ReadDeals: Named("deals:read") =>          All   All       All       All,
    WriteDeals: Named("deals:write") =>        All   All       All       No,
    DeleteDeals: Named("deals:delete") =>      All   All       OwnOfSeen No,
    /// Whoever may write deals must know their stages.
    ReadPipelines: Any =>                      All   All       All       All,
    ManagePipelines: Named("pipelines:manage") => All All      No        No,
    ReadProducts: Named("products:read") =>    All   All       All       All,
    WriteProducts: Named("products:write") =>  All   All       All       No,
    DeleteProducts: Named("products:delete") => All  All       OwnOfSeen No,
    ReadTasks: Named("tasks:read") =>          All   All       All       All,
    WriteTasks: Named("tasks:write") =>        All   All       All       OwnOfSeen,
    /// A new one is one's own or nobody's.
    MakeTasks: Named("tasks:write") =>         All   All       All       All,
    DeleteTasks: Named("tasks:delete") =>      All   All       OwnOfSeen No,
    /// Change and delete notes about contacts: one's own, and for managers everybody's.
    ChangeNotes: Named("contacts:write") =>    All   All       OwnOfSeen OwnOfSeen,
    /// Whoever asks, one is reminded of one's own tasks.
    OwnReminders: Named("tasks:read") =>       Own   Own       Own       Own,
    /// Give a record to somebody else.
    Assign: Named("records:assign") =>         All   All       No        No,
    /// Change many records at once.
    BulkEdit: Named("records:bulk") =>         All   All       No        No,

    ReadLists: Named("lists:read") =>          All   All       All       All,
    WriteLists: Named("lists:write") =>        All   All       All       All,
    /// Lists that their maker keeps to themself; those of admins' colleagues too.
    SeePrivateLists: Named("lists:read") =>    Own   Own       Own       Own,
    WritePrivateLists: Named("lists:write") => Own   Own       Own       Own,
    /// Lists that are shared to be seen only; admins may change what they see.
    WriteViewedLists: Named("lists:write") =>  All   OwnOfSeen OwnOfSeen OwnOfSeen,
    /// Delete and share lists that one sees.
    OwnLists: Named("lists:write") =>          All   OwnOfSeen OwnOfSeen OwnOfSeen,

    Import: Named("imports:run") =>            All   All       All       No,
    SeeJobs: Named("jobs:read") =>             All   All       Own       Own,
    SteerJobs: Named("jobs:write") =>          All   OwnOfSeen Own       Own,
    /// REST's list of imports is of one's own, whoever asks.
    OwnImports: Named("jobs:read") =>          Own   Own       Own       Own,
    /// Also to use what was sent.
    SendFiles: Named("files:write") =>         Own   Own       Own       Own,

    SeeUsers: Named("users:read") =>           All   All       Own       Own,
    /// REST's list of users is not narrowed but refused.
    ListUsers: Named("users:read") =>          All   All       No        No,
    OwnProfile: Named("users:write") =>        Own   Own       Own       Own,
    WriteUsers: Named("users:write") =>        All   OwnOfSeen OwnOfSeen OwnOfSeen,
    ManageUsers: Named("users:manage") =>      All   No        No        No,
    /// Teams and who is in them are everybody's to see.
    SeeTeams: Named("users:read") =>           All   All       All       All,
    ManageTeams: Named("teams:manage") =>      All   All       No        No,
    /// Whoever may write records must know their fields.
    ReadFields: Any =>                         All   All       All       All,
    ManageFields: Named("fields:manage") =>    All   No        No        No,
    ManageTokens: Named("tokens:manage") =>    All   Own       Own       Own,
    ManageWorkspace: Named("workspace:manage") => All No       No        No,
    ReadAudit: Named("audit:read") =>          All   No        No        No,

    /// Who am I, and what may I do.
    BeOneself: Any =>                          Own   Own       Own       Own,
    /// The names beside records, of whoever they are.
    SeeNames: Any =>                           All   All       All       All,
    MakeTokens: Whole =>                       Own   Own       Own       Own,
    OwnPassword: Whole =>                      Own   Own       Own       Own,
    OwnSessions: Whole =>                      Own   Own       Own       Own,
    OwnSession: Session =>                     Own   Own       Own       Own,
}

/// How far all of these together reach.
pub fn reach(rights: &[Right], role: Role) -> Reach {
    rights.iter().map(|right| right.reach(role)).min().unwrap_or(All)
}
