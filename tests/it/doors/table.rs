//! The table of all doors. A line says how to call the door and which rights it needs:
//!
//! - `$contact` and the like stand for a thing of the person whose things are tried; `world.rs` has
//!   their list. GraphQL's texts get them in quotes.
//! - `shows("contact")` says that a list or a stream shows a contact that somebody makes,
//!   `counts("contact")` that a count counts it: so other people see it, or see it not.
//! - `open` is a door for strangers, and `part` a field that is a piece of what leads to it; both
//!   with the reason.
//!
//! A door may have several lines, where it asks for more or less depending on what is sent.

use reqwest::Method;
use serde_json::Value;

use super::{
    call::{Body, Call},
    found::plain,
    rights::Right::{self, *},
    world::OWNED,
};

pub struct Door {
    /// As [`super::found`] names it.
    pub name: String,
    pub call: Call,
    pub need: Need,
    pub look: Option<Look>,
    /// What it names is only linked to: where it does not exist, the input is wrong.
    pub links: bool,
}

pub enum Need {
    Rights(&'static [Right]),
    Open(&'static str),
    Part(&'static str),
}

/// What can be told from the answer about what others have.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    Shows(&'static str),
    Counts(&'static str),
}

/// The doors that every kind of record has, but for contacts and accounts, which stand below word by
/// word.
macro_rules! of_kind {
    ($kind:literal $type:literal $one:literal $many:literal $field:literal, $read:ident $write:ident $make:ident $delete:ident) => {
        vec![
            query(concat!($many, " { nodes { id } }")).needs(&[$read]).shows($one),
            field(concat!($type, "Connection.totalCount"), concat!($many, " { totalCount }"))
                .needs(&[$read])
                .counts($one),
            query(concat!($one, "(id: $", $one, ") { id }")).needs(&[$read]),
            query(concat!("record(kind: ", $kind, ", id: $", $one, ") { id }")).needs(&[$read]),
            field(concat!($type, ".owner"), concat!($one, "(id: $", $one, ") { owner { fullName } }"))
                .needs(&[$read, SeeNames]),
            field(concat!($type, ".createdBy"), concat!($one, "(id: $", $one, ") { createdBy { fullName } }"))
                .needs(&[$read, SeeNames]),
            field(concat!($type, ".history"), concat!($one, "(id: $", $one, ") { history { nodes { field } } }"))
                .needs(&[$read]),
            field(concat!($type, ".timeline"), concat!($one, "(id: $", $one, ") { timeline { nodes { what } } }"))
                .needs(&[$read]),
            field(
                concat!($type, ".noteEntries"),
                concat!($one, "(id: $", $one, ") { noteEntries { nodes { body } } }"),
            )
            .needs(&[$read]),
            mutation(concat!(
                "createNote(input: { recordKind: ",
                $kind,
                ", recordId: $",
                $one,
                ", body: \"B\" }) { note { id } }"
            ))
            .needs(&[$write]),
            query(concat!("tags(kind: ", $kind, ") { name }")).needs(&[$read]),
            mutation(concat!(
                "create",
                $type,
                "(input: { ",
                $one,
                ": { ",
                $field,
                ": \"N\" } }) { ",
                $one,
                " { id } }"
            ))
            .needs(&[$make]),
            mutation(concat!(
                "create",
                $type,
                "(input: { ",
                $one,
                ": { ",
                $field,
                ": \"N\", ownerId: $user } }) { ",
                $one,
                " { id } }"
            ))
            .needs(&[$make, Assign])
            .linking(),
            mutation(concat!(
                "update",
                $type,
                "(input: { id: $",
                $one,
                ", patch: { ",
                $field,
                ": \"M\" } }) { ",
                $one,
                " { id } }"
            ))
            .needs(&[$write]),
            mutation(concat!(
                "update",
                $type,
                "(input: { id: $",
                $one,
                ", patch: { ownerId: $user } }) { ",
                $one,
                " { id } }"
            ))
            .needs(&[$write, Assign]),
            mutation(concat!("delete", $type, "(input: { id: $", $one, " }) { deletedId }")).needs(&[$delete]),
            mutation(concat!("restore", $type, "(input: { id: $deleted", $type, " }) { ", $one, " { id } }"))
                .needs(&[$delete]),
            subscription(concat!("recordChanged(kind: ", $kind, ", after: $cursor) { recordId }"))
                .needs(&[$read])
                .shows($one),
        ]
    };
}

/// The routes that every kind of record has.
macro_rules! of_route {
    ($one:literal $path:literal $body:literal $patch:literal, $read:ident $write:ident $make:ident $delete:ident) => {
        vec![
            get($path).needs(&[$read]).shows($one),
            post($path).json($body).needs(&[$make]),
            get(concat!($path, "/$", $one)).needs(&[$read]),
            put(concat!($path, "/$", $one)).json($patch).needs(&[$write]),
            put(concat!($path, "/$", $one)).json(r#"{ "assigned_to": "$user" }"#).needs(&[$write, Assign]),
            delete(concat!($path, "/$", $one)).needs(&[$delete]),
        ]
    };
}

pub fn graphql() -> Vec<Door> {
    let mut doors = common();
    doors.extend(of_kind!("LEAD" "Lead" "lead" "leads" "lastName", ReadLeads WriteLeads MakeLeads DeleteLeads));
    doors.extend(of_kind!("DEAL" "Deal" "deal" "deals" "name", ReadDeals WriteDeals WriteDeals DeleteDeals));
    doors.extend(of_kind!("PRODUCT" "Product" "product" "products" "name", ReadProducts WriteProducts WriteProducts DeleteProducts));
    doors.extend(of_kind!("TASK" "Task" "task" "tasks" "title", ReadTasks WriteTasks MakeTasks DeleteTasks));
    doors
}

fn common() -> Vec<Door> {
    let own_words = "tells what the event itself says, and comes only with it";
    vec![
        query("viewer { user { id } }").needs(&[BeOneself]),
        field("Viewer.user", "viewer { user { id } }").needs(&[BeOneself]),
        field("Viewer.workspace", "viewer { workspace { id } }").needs(&[BeOneself]),
        field("Viewer.workspaces", "viewer { workspaces { id } }").needs(&[BeOneself]).shows("workspace"),
        field("Viewer.permissions", "viewer { permissions }").needs(&[BeOneself]),
        query("users { nodes { id } }").needs(&[SeeUsers]).shows("user"),
        field("UserConnection.totalCount", "users { totalCount }").needs(&[SeeUsers]).counts("user"),
        query("user(id: $user) { id }").needs(&[SeeUsers]),
        query("people { nodes { id } }").needs(&[SeeTeams]).shows("user"),
        field("PeopleConnection.totalCount", "people { totalCount }").needs(&[SeeTeams]).counts("user"),
        query("eventCursor").needs(&[BeOneself]),
        field("User.teams", "user(id: $user) { teams { id } }").needs(&[SeeUsers]),
        query("teams { nodes { id } }").needs(&[SeeTeams]).shows("team"),
        field("TeamConnection.totalCount", "teams { totalCount }").needs(&[SeeTeams]).counts("team"),
        query("team(id: $team) { id }").needs(&[SeeTeams]),
        field("Team.members", "team(id: $team) { members { id } }").needs(&[SeeTeams]),
        query("sessions { id }").needs(&[OwnSessions]).shows("session"),
        query("apiTokens { id }").needs(&[ManageTokens]).shows("token"),
        query("invitations { id }").needs(&[ManageUsers]).shows("invitation"),
        query("auditLog { nodes { subjectId } }").needs(&[ReadAudit]).shows("user"),
        field("AuditConnection.totalCount", "auditLog { totalCount }").needs(&[ReadAudit]).counts("user"),
        mutation("signIn(input: { email: $knownEmail, password: \"correct horse battery\" }) { token }")
            .open("is how one stops being a stranger; asks for the password"),
        mutation("register(input: { email: $email, password: \"correct horse battery\", fullName: \"N\" }) { token }")
            .open("makes a workspace of one's own, where registration is open"),
        mutation("acceptInvitation(input: { token: $invitationLink, fullName: \"N\", password: \"correct horse battery\" }) { token }")
            .open("the link in the mail is the proof"),
        mutation("refreshSession(input: { refreshToken: $refreshToken }) { token }").open("the refresh token is the proof"),
        mutation("requestPasswordReset(input: { email: $knownEmail }) { done }").open("tells nothing; the mail goes to the owner"),
        mutation("resetPassword(input: { token: $resetLink, password: \"correct horse battery\" }) { done }")
            .open("the link in the mail is the proof"),
        mutation("signOut { done }").needs(&[OwnSession]),
        mutation("endSession(input: { id: $session }) { done }").needs(&[OwnSessions]),
        mutation("switchWorkspace(input: { id: $workspace }) { done }").needs(&[OwnSession]),
        mutation("changePassword(input: { currentPassword: \"correct horse battery\", newPassword: \"correct horse battery\" }) { done }")
            .needs(&[OwnPassword]),
        mutation("createUser(input: { email: $email, fullName: \"N\", password: \"correct horse battery\", role: SUPPORT }) { user { id } }")
            .needs(&[ManageUsers]),
        mutation("updateUser(input: { department: \"D\" }) { user { id } }").needs(&[OwnProfile]),
        mutation("updateUser(input: { id: $user, department: \"D\" }) { user { id } }").needs(&[WriteUsers, ManageUsers]),
        mutation("updateUser(input: { id: $user, role: SUPPORT }) { user { id } }").needs(&[WriteUsers, ManageUsers]),
        mutation("deactivateUser(input: { id: $user }) { done }").needs(&[ManageUsers]),
        mutation("inviteUser(input: { email: $email, role: SUPPORT }) { invitation { id } }").needs(&[ManageUsers]),
        mutation("revokeInvitation(input: { id: $invitation }) { done }").needs(&[ManageUsers]),
        mutation("createTeam(input: { name: $email }) { team { id } }").needs(&[ManageTeams]),
        mutation("updateTeam(input: { id: $team, name: $email }) { team { id } }").needs(&[ManageTeams]),
        mutation("setTeamMembers(input: { id: $team, add: [$user] }) { team { id } }").needs(&[ManageTeams]),
        mutation("deleteTeam(input: { id: $team }) { done }").needs(&[ManageTeams]),
        mutation("createApiToken(input: { name: \"N\" }) { secret }").needs(&[MakeTokens]),
        mutation("revokeApiToken(input: { id: $token }) { done }").needs(&[ManageTokens]),
        mutation("updateWorkspace(input: { weekStart: SUNDAY }) { workspace { id } }").needs(&[ManageWorkspace]),
        // contacts and accounts
        query("contacts { nodes { id } }").needs(&[ReadContacts]).shows("contact"),
        field("ContactConnection.totalCount", "contacts { totalCount }").needs(&[ReadContacts]).counts("contact"),
        query("contact(id: $contact) { id }").needs(&[ReadContacts]),
        field("Contact.account", "contact(id: $contact) { account { id } }").needs(&[ReadContacts, ReadAccounts]),
        field("Contact.owner", "contact(id: $contact) { owner { fullName } }").needs(&[ReadContacts, SeeNames]),
        field("Contact.createdBy", "contact(id: $contact) { createdBy { fullName } }").needs(&[ReadContacts, SeeNames]),
        field("Contact.history", "contact(id: $contact) { history { nodes { field } } }").needs(&[ReadContacts]),
        query("accounts { nodes { id } }").needs(&[ReadAccounts]).shows("account"),
        field("AccountConnection.totalCount", "accounts { totalCount }").needs(&[ReadAccounts]).counts("account"),
        query("account(id: $account) { id }").needs(&[ReadAccounts]),
        field("Account.owner", "account(id: $account) { owner { fullName } }").needs(&[ReadAccounts, SeeNames]),
        field("Account.createdBy", "account(id: $account) { createdBy { fullName } }").needs(&[ReadAccounts, SeeNames]),
        field("Account.history", "account(id: $account) { history { nodes { field } } }").needs(&[ReadAccounts]),
        // what stands beside records
        field("Contact.timeline", "contact(id: $contact) { timeline { nodes { what } } }").needs(&[ReadContacts]),
        field("Account.timeline", "account(id: $account) { timeline { nodes { what } } }").needs(&[ReadAccounts]),
        field("Record.timeline", "record(kind: ACCOUNT, id: $account) { timeline { nodes { what } } }").needs(&[ReadAccounts]),
        field("TimelineConnection.totalCount", "contact(id: $contact) { timeline { totalCount } }").needs(&[ReadContacts]),
        part("TimelineEntry.actor", "tells what the entry itself says, and comes only with it"),
        part("TimelineEntry.changes", "is of the record whose timeline it is, and read under the same right"),
        part("TimelineEntry.note", "is about the record whose timeline it is, and read under the same right"),
        part("TimelineEntry.task", "is left out with its entry for who may not read tasks: see the tests of timelines"),
        field("Contact.noteEntries", "contact(id: $contact) { noteEntries { nodes { body } } }").needs(&[ReadContacts]),
        field("Account.noteEntries", "account(id: $account) { noteEntries { nodes { body } } }").needs(&[ReadAccounts]),
        field("Record.noteEntries", "record(kind: ACCOUNT, id: $account) { noteEntries { nodes { body } } }")
            .needs(&[ReadAccounts]),
        field("NoteConnection.totalCount", "contact(id: $contact) { noteEntries { totalCount } }").needs(&[ReadContacts]),
        field("Note.createdBy", "contact(id: $notedContact) { noteEntries { nodes { createdBy { fullName } } } }")
            .needs(&[ReadContacts, SeeNames]),
        // further addresses, duplicates, merges
        field("Contact.extraAddresses", "contact(id: $contactWithAddress) { extraAddresses { address } }")
            .needs(&[ReadContacts]),
        mutation("addExtraAddress(input: { contactId: $contact, kind: EMAIL, address: $email }) { contact { id } }")
            .needs(&[WriteContacts]),
        mutation("removeExtraAddress(input: { id: $extraAddress }) { contact { id } }").needs(&[WriteContacts]),
        mutation("makeAddressPrimary(input: { id: $extraAddress }) { contact { id } }").needs(&[WriteContacts]),
        query("duplicates(kind: CONTACT, id: $contact) { score }").needs(&[ReadContacts]),
        part("DuplicateCandidate.record", "is of the kind that was asked for, and read under the same right"),
        query("duplicateGroups(kind: CONTACT, by: NAME) { nodes { value } }").needs(&[ReadContacts]),
        field("DuplicateGroupConnection.totalCount", "duplicateGroups(kind: CONTACT, by: NAME) { totalCount }")
            .needs(&[ReadContacts]),
        part("DuplicateGroup.records", "are of the kind that was asked for, and read under the same right"),
        query("merges(kind: CONTACT, recordId: $mergedContact) { id }").needs(&[ReadContacts]),
        query("mergedInto(kind: CONTACT, id: $mergedContact) { id }").needs(&[ReadContacts]),
        mutation("mergeContacts(input: { intoId: $contact, ids: [$notedContact] }) { contact { id } }")
            .needs(&[WriteContacts, DeleteContacts]),
        mutation("mergeRecords(input: { kind: ACCOUNT, intoId: $account, ids: [$accountOfLead] }) { record { id } }")
            .needs(&[WriteAccounts, DeleteAccounts]),
        mutation("undoMerge(input: { mergeId: $merge }) { restoredIds }").needs(&[WriteContacts, DeleteContacts]),
        mutation("createNote(input: { recordKind: CONTACT, recordId: $contact, body: \"B\" }) { note { id } }")
            .needs(&[WriteContacts]),
        mutation("createNote(input: { recordKind: ACCOUNT, recordId: $account, body: \"B\" }) { note { id } }")
            .needs(&[WriteAccounts]),
        mutation("updateNote(input: { id: $note, body: \"C\" }) { note { id } }").needs(&[ChangeNotes]),
        mutation("deleteNote(input: { id: $note }) { deletedId }").needs(&[ChangeNotes]),
        query("deletedRecords(kind: CONTACT) { nodes { id } }").needs(&[ReadContacts]).shows("deletedContact"),
        query("deletedRecords(kind: LEAD) { nodes { id } }").needs(&[ReadLeads]).shows("deletedLead"),
        field("DeletedRecordConnection.totalCount", "deletedRecords(kind: LEAD) { totalCount }")
            .needs(&[ReadLeads])
            .counts("deletedLead"),
        part("DeletedRecord.deletedBy", "tells what the row itself says, and comes only with it"),
        query("tags(kind: CONTACT) { name }").needs(&[ReadContacts]),
        query("tags(kind: ACCOUNT) { name }").needs(&[ReadAccounts]),
        field("FieldChangeConnection.totalCount", "contact(id: $contact) { history { totalCount } }").needs(&[ReadContacts]),
        field("Record.history", "record(kind: ACCOUNT, id: $account) { history { nodes { field } } }").needs(&[ReadAccounts]),
        part("FieldChange.actor", "tells what the change itself says, and comes only with it"),
        query("record(kind: CONTACT, id: $contact) { id }").needs(&[ReadContacts]),
        query("record(kind: ACCOUNT, id: $account) { id }").needs(&[ReadAccounts]),
        field("Record.owner", "record(kind: CONTACT, id: $contact) { owner { id } }").needs(&[ReadContacts, SeeNames]),
        field("Record.createdBy", "record(kind: CONTACT, id: $contact) { createdBy { id } }")
            .needs(&[ReadContacts, SeeNames]),
        field("Actor.user", "deletedRecords(kind: CONTACT) { nodes { deletedBy { user { fullName } } } }")
            .needs(&[ReadContacts, SeeNames]),
        mutation("createContact(input: { contact: { lastName: \"N\" } }) { contact { id } }").needs(&[WriteContacts]),
        mutation("createContact(input: { contact: { lastName: \"N\", ownerId: $user } }) { contact { id } }")
            .needs(&[WriteContacts, Assign])
            .linking(),
        mutation("updateContact(input: { id: $contact, patch: { city: \"C\" } }) { contact { id } }").needs(&[WriteContacts]),
        mutation("updateContact(input: { id: $contact, patch: { ownerId: $user } }) { contact { id } }")
            .needs(&[WriteContacts, Assign]),
        mutation("deleteContact(input: { id: $contact }) { deletedId }").needs(&[DeleteContacts]),
        mutation("restoreContact(input: { id: $deletedContact }) { contact { id } }").needs(&[DeleteContacts]),
        mutation("createAccount(input: { account: { name: \"N\" } }) { account { id } }").needs(&[WriteAccounts]),
        mutation("updateAccount(input: { id: $account, patch: { industry: \"I\" } }) { account { id } }").needs(&[WriteAccounts]),
        mutation("updateAccount(input: { id: $account, patch: { ownerId: $user } }) { account { id } }")
            .needs(&[WriteAccounts, Assign]),
        mutation("deleteAccount(input: { id: $account }) { deletedId }").needs(&[DeleteAccounts]),
        mutation("restoreAccount(input: { id: $deletedAccount }) { account { id } }").needs(&[DeleteAccounts]),
        subscription("recordChanged(kind: CONTACT, after: $cursor) { recordId }").needs(&[ReadContacts]).shows("contact"),
        subscription("recordChanged(kind: ACCOUNT, after: $cursor) { recordId }").needs(&[ReadAccounts]).shows("account"),
        part("RecordChange.actor", own_words),
        part("Event.actor", own_words),
        part("RecordChange.changes", "is of the record that was asked for, and read under the same right"),
        part("RecordChange.record", "is of the kind that was asked for, and read under the same right"),
        // criteria
        query("criteriaFields(kind: CONTACT) { name }").needs(&[ReadContacts]),
        query("criteriaFields(kind: LEAD) { name }").needs(&[MayReadLeads]),
        query("criteriaRelations(kind: DEAL) { relation }").needs(&[ReadDeals]),
        part("CriteriaField.operators", "says how the field is compared"),
        part("CriteriaField.choices", "says what the field may hold"),
        part("CriteriaRelation.fields", "says what the related records have"),
        query("criteriaPreview(kind: CONTACT, where: { all: [] }) { records { id } }")
            .needs(&[ReadContacts])
            .shows("contact"),
        query("criteriaPreview(kind: LEAD, where: { all: [] }) { records { id } }").needs(&[ReadLeads]).shows("lead"),
        query("criteriaPreview(kind: CONTACT, where: { related: { relation: DEALS } }) { count }")
            .needs(&[ReadContacts, ReadDeals]),
        query("criteriaPreview(kind: CONTACT, where: { related: { relation: LISTS } }) { count }")
            .needs(&[ReadContacts, ReadLists]),
        part("CriteriaPreview.records", "are of the kind that was asked for, and read under the same right"),
        query("contacts(where: { all: [] }) { nodes { id } }").needs(&[ReadContacts]).shows("contact"),
        query("leads(where: { all: [] }) { nodes { id } }").needs(&[ReadLeads]).shows("lead"),
        field("ContactConnection.totalCount", "contacts(where: { all: [] }) { totalCount }")
            .needs(&[ReadContacts])
            .counts("contact"),
        field("LeadConnection.totalCount", "leads(where: { all: [] }) { totalCount }").needs(&[ReadLeads]).counts("lead"),
        query("contacts(where: { inList: $list }) { nodes { id } }").needs(&[ReadContacts, ReadLists]).linking(),
        query("explainMembership(listId: $dynamicList, recordId: $contact) { isMember }")
            .needs(&[ReadLists, ReadContacts]),
        part("MembershipExplanation.nodes", "are of the list and the contact that were asked for"),
        subscription("recordChanged(kind: CONTACT, where: { all: [] }, after: $cursor) { recordId }")
            .needs(&[ReadContacts])
            .shows("contact"),
        subscription("recordChanged(kind: LEAD, where: { all: [] }, after: $cursor) { recordId }")
            .needs(&[ReadLeads])
            .shows("lead"),
        // what leads from one record to others
        field("Contact.deals", "contact(id: $contact) { deals { nodes { id } } }").needs(&[ReadContacts, ReadDeals]),
        field("Contact.tasks", "contact(id: $contact) { tasks { nodes { id } } }").needs(&[ReadContacts, ReadTasks]),
        field("Account.contacts", "account(id: $account) { contacts { nodes { id } } }").needs(&[ReadAccounts, ReadContacts]),
        field("Account.deals", "account(id: $account) { deals { nodes { id } } }").needs(&[ReadAccounts, ReadDeals]),
        field("Account.tasks", "account(id: $account) { tasks { nodes { id } } }").needs(&[ReadAccounts, ReadTasks]),
        field("Lead.tasks", "lead(id: $lead) { tasks { nodes { id } } }").needs(&[ReadLeads, ReadTasks]),
        field("Deal.tasks", "deal(id: $deal) { tasks { nodes { id } } }").needs(&[ReadDeals, ReadTasks]),
        field("Deal.account", "deal(id: $deal) { account { id } }").needs(&[ReadDeals, ReadAccounts]),
        field("Deal.contact", "deal(id: $deal) { contact { id } }").needs(&[ReadDeals, ReadContacts]),
        field("Deal.stage", "deal(id: $deal) { stage { name } }").needs(&[ReadDeals]),
        field("Deal.lineItems", "deal(id: $dealWithItem) { lineItems { id } }").needs(&[ReadDeals]),
        field("DealLineItem.product", "deal(id: $dealWithItem) { lineItems { product { id } } }")
            .needs(&[ReadDeals, ReadProducts]),
        field("Deal.stageHistory", "deal(id: $deal) { stageHistory { enteredAt } }").needs(&[ReadDeals]),
        field("DealStageTime.stage", "deal(id: $deal) { stageHistory { stage { id } } }").needs(&[ReadDeals]),
        mutation("setDealLineItems(input: { dealId: $deal, add: [{ name: \"N\", unitPrice: 1 }] }) { deal { id } }")
            .needs(&[WriteDeals]),
        mutation("setDealLineItems(input: { dealId: $deal, add: [{ productId: $product }] }) { deal { id } }")
            .needs(&[WriteDeals, ReadProducts]),
        // pipelines
        query("pipelines { id }").needs(&[ReadPipelines]).shows("pipeline"),
        query("pipeline(id: $pipeline) { id }").needs(&[ReadPipelines]),
        field("Pipeline.stages", "pipeline(id: $pipeline) { stages { id } }").needs(&[ReadPipelines]),
        field("PipelineStage.amounts", "pipeline(id: $pipeline) { stages { amounts { amount } } }")
            .needs(&[ReadPipelines, ReadDeals]),
        field("PipelineStage.dealCount", "pipeline(id: $pipeline) { stages { dealCount } }")
            .needs(&[ReadPipelines, ReadDeals]),
        mutation("createPipeline(input: { name: $email, stages: [{ name: \"N\", type: OPEN, probability: 1 }] }) { pipeline { id } }")
            .needs(&[ManagePipelines]),
        mutation("updatePipeline(input: { id: $pipeline, name: $email }) { pipeline { id } }").needs(&[ManagePipelines]),
        mutation("deletePipeline(input: { id: $pipeline }) { deletedId }").needs(&[ManagePipelines]),
        mutation("createStage(input: { pipelineId: $pipeline, name: \"N\", type: LOST }) { stage { id } }")
            .needs(&[ManagePipelines]),
        mutation("updateStage(input: { id: $stage, name: \"M\" }) { stage { id } }").needs(&[ManagePipelines]),
        mutation("deleteStage(input: { id: $stage }) { deletedId }").needs(&[ManagePipelines]),
        mutation("reorderStages(input: { pipelineId: $pipeline, stageIds: [] }) { pipeline { id } }")
            .needs(&[ManagePipelines]),
        field("Task.account", "task(id: $taskOfAccount) { account { id } }").needs(&[ReadTasks, ReadAccounts]),
        field("Task.contact", "task(id: $taskOfContact) { contact { id } }").needs(&[ReadTasks, ReadContacts]),
        field("Task.deal", "task(id: $taskOfDeal) { deal { id } }").needs(&[ReadTasks, ReadDeals]),
        field("Task.lead", "task(id: $taskOfLead) { lead { id } }").needs(&[ReadTasks, ReadLeads]),
        // custom fields
        query("customFields(kind: CONTACT) { id }").needs(&[ReadFields]).shows("customField"),
        mutation("createCustomField(input: { kind: DEAL, label: \"L\", type: TEXT }) { customField { id } }")
            .needs(&[ManageFields]),
        mutation("updateCustomField(input: { id: $customField, label: \"M\" }) { customField { id } }")
            .needs(&[ManageFields]),
        mutation("deleteCustomField(input: { id: $customField }) { deletedId }").needs(&[ManageFields]),
        mutation("reorderCustomFields(input: { kind: CONTACT, ids: [$customField] }) { customFields { id } }")
            .needs(&[ManageFields]),
        // what leads became, and reminders of tasks
        mutation("convertLead(input: { id: $lead }) { lead { id } }").needs(&[WriteLeads, WriteContacts]),
        mutation("convertLead(input: { id: $lead, account: { name: \"N\" } }) { lead { id } }")
            .needs(&[WriteLeads, WriteContacts, WriteAccounts]),
        mutation("convertLead(input: { id: $lead, deal: { name: \"N\" } }) { lead { id } }")
            .needs(&[WriteLeads, WriteContacts, WriteDeals]),
        field("Lead.convertedTo", "lead(id: $convertedLead) { convertedTo { convertedAt } }").needs(&[ReadLeads]),
        field("LeadConversion.contact", "lead(id: $convertedLead) { convertedTo { contact { id } } }")
            .needs(&[ReadLeads, ReadContacts]),
        field("LeadConversion.account", "lead(id: $convertedLead) { convertedTo { account { id } } }")
            .needs(&[ReadLeads, ReadAccounts]),
        field("LeadConversion.deal", "lead(id: $convertedLead) { convertedTo { deal { id } } }")
            .needs(&[ReadLeads, ReadDeals]),
        field("Contact.convertedFrom", "contact(id: $contactOfLead) { convertedFrom { id } }")
            .needs(&[ReadContacts, ReadLeads]),
        field("Account.convertedFrom", "account(id: $accountOfLead) { convertedFrom { id } }")
            .needs(&[ReadAccounts, ReadLeads]),
        field("Deal.convertedFrom", "deal(id: $dealOfLead) { convertedFrom { id } }").needs(&[ReadDeals, ReadLeads]),
        subscription("taskReminders(after: $cursor) { task { id } }").needs(&[OwnReminders]).shows("remindedTask"),
        part("TaskReminder.task", "is what the reminder is about, and read under the same right"),
        // lists
        query("contactLists { nodes { id } }").needs(&[ReadLists]).shows("list"),
        query("contactLists { nodes { id } }").needs(&[SeePrivateLists]).shows("privateList"),
        field("ContactListConnection.totalCount", "contactLists { totalCount }").needs(&[ReadLists]).counts("list"),
        field("ContactListConnection.totalCount", "contactLists { totalCount }").needs(&[SeePrivateLists]).counts("privateList"),
        query("contactList(id: $list) { id }").needs(&[ReadLists]),
        query("contactList(id: $privateList) { id }").needs(&[SeePrivateLists]),
        query("listFolders { id }").needs(&[ReadLists]).shows("listFolder"),
        field("ContactList.building", "contactList(id: $dynamicList) { building { jobId } }").needs(&[ReadLists]),
        field("ContactList.folder", "contactList(id: $list) { folder { id } }").needs(&[ReadLists]),
        field("ContactList.sharing", "contactList(id: $list) { sharing { level } }").needs(&[ReadLists]),
        part("ListSharing.shares", "is a piece of the list, which was read already"),
        field("ListShare.user", "contactList(id: $list) { sharing { shares { user { fullName } } } }")
            .needs(&[ReadLists, SeeNames]),
        field("ContactList.createdBy", "contactList(id: $list) { createdBy { fullName } }").needs(&[ReadLists, SeeNames]),
        field("ContactList.contacts", "contactList(id: $list) { contacts { nodes { id } } }")
            .needs(&[ReadLists, ReadContacts]),
        field("ListMemberConnection.totalCount", "contactList(id: $list) { contacts { totalCount } }")
            .needs(&[ReadLists, ReadContacts]),
        field("ContactList.entriesAndExits", "contactList(id: $list) { entriesAndExits { nodes { contactId } } }")
            .needs(&[ReadLists, ReadContacts]),
        field("MembershipEventConnection.totalCount", "contactList(id: $list) { entriesAndExits { totalCount } }")
            .needs(&[ReadLists, ReadContacts]),
        field("MembershipEvent.contact", "contactList(id: $list) { entriesAndExits { nodes { contact { id } } } }")
            .needs(&[ReadLists, ReadContacts]),
        field(
            "ContactList.sizeHistory",
            "contactList(id: $list) { sizeHistory(range: { from: \"2026-01-01T00:00:00Z\", to: \"2026-02-01T00:00:00Z\" }) { size } }",
        )
        .needs(&[ReadLists]),
        field("ContactList.usedBy", "contactList(id: $list) { usedBy { listId } }").needs(&[ReadLists]),
        field("Contact.lists", "contact(id: $contact) { lists { id } }").needs(&[ReadContacts, ReadLists]),
        mutation("createContactList(input: { name: \"N\" }) { contactList { id } }").needs(&[WriteLists]),
        mutation("updateContactList(input: { id: $list, name: \"N\" }) { contactList { id } }").needs(&[WriteLists]),
        mutation("updateContactList(input: { id: $viewedList, name: \"N\" }) { contactList { id } }")
            .needs(&[WriteViewedLists]),
        mutation("updateContactList(input: { id: $privateList, name: \"N\" }) { contactList { id } }")
            .needs(&[WritePrivateLists]),
        mutation("deleteContactList(input: { id: $list }) { deletedId }").needs(&[OwnLists]),
        mutation("deleteContactList(input: { id: $privateList }) { deletedId }").needs(&[WritePrivateLists]),
        mutation("addContactsToList(input: { id: $list, contactIds: [$contact] }) { changedCount }")
            .needs(&[WriteLists, ReadContacts]),
        mutation("addContactsToList(input: { id: $viewedList, contactIds: [$contact] }) { changedCount }")
            .needs(&[WriteViewedLists, ReadContacts]),
        mutation("addContactsToList(input: { id: $list, where: { all: [] } }) { changedCount }")
            .needs(&[WriteLists, ReadContacts]),
        mutation("removeContactsFromList(input: { id: $list, where: { all: [] } }) { changedCount }")
            .needs(&[WriteLists, ReadContacts]),
        mutation("removeContactsFromList(input: { id: $list, contactIds: [$contact] }) { changedCount }")
            .needs(&[WriteLists, ReadContacts]),
        mutation("refreshContactList(input: { id: $dynamicList }) { contactList { id } }").needs(&[WriteLists]),
        mutation("snapshotContactList(input: { id: $dynamicList, at: \"2099-01-01T00:00:00Z\" }) { contactList { id } }").needs(&[WriteLists]),
        mutation("snapshotContactList(input: { id: $privateList, name: \"N\" }) { contactList { id } }")
            .needs(&[WritePrivateLists]),
        mutation("setListFavorite(input: { id: $viewedList, favorite: true }) { contactList { id } }").needs(&[WriteLists]),
        mutation("setListFavorite(input: { id: $privateList, favorite: true }) { contactList { id } }")
            .needs(&[WritePrivateLists]),
        mutation("shareContactList(input: { id: $list, level: VIEW }) { contactList { id } }").needs(&[OwnLists]),
        mutation("createListFolder(input: { name: $email }) { folder { id } }").needs(&[WriteLists]),
        mutation("renameListFolder(input: { id: $listFolder, name: $email }) { folder { id } }").needs(&[WriteLists]),
        mutation("deleteListFolder(input: { id: $listFolder }) { deletedId }").needs(&[WriteLists]),
        subscription("contactListChanged(after: $cursor, id: $list) { count }").needs(&[ReadLists, ReadContacts]),
        subscription("contactListChanged(after: $cursor, id: $privateList) { count }")
            .needs(&[SeePrivateLists, ReadContacts]),
        part("ContactListChange.actor", own_words),
        // jobs, files, imports
        query("job(id: $job) { id }").needs(&[SeeJobs]),
        query("jobs { nodes { id } }").needs(&[SeeJobs]).shows("job"),
        field("JobConnection.totalCount", "jobs { totalCount }").needs(&[SeeJobs]).counts("job"),
        part("Job.progress", "is a piece of the job, which was read already"),
        mutation("cancelJob(input: { id: $job }) { job { id } }").needs(&[SeeJobs, SteerJobs]),
        mutation("rerunJob(input: { id: $failedJob }) { job { id } }").needs(&[SeeJobs, SteerJobs]),
        subscription("jobProgress(id: $job) { status }").needs(&[SeeJobs]),
        mutation("createUpload(input: { name: \"a.csv\" }) { uploadId }").needs(&[SendFiles]),
        query("importJob(id: $import) { id }").needs(&[SeeJobs]),
        field("ImportJob.errors", "importJob(id: $import) { errors { nodes { row } } }").needs(&[SeeJobs]),
        field("ImportErrorConnection.totalCount", "importJob(id: $import) { errors { totalCount } }").needs(&[SeeJobs]),
        field("ImportJob.createdBy", "importJob(id: $import) { createdBy { fullName } }").needs(&[SeeJobs, SeeNames]),
        query("importJobs { nodes { id } }").needs(&[SeeJobs]).shows("import"),
        field("ImportJobConnection.totalCount", "importJobs(status: PENDING) { totalCount }").needs(&[SeeJobs]).counts("import"),
        mutation("createImport(input: { uploadId: $file, kind: CONTACT }) { importJob { id } }")
            .needs(&[Import, WriteContacts, SendFiles]),
        mutation("cancelImport(input: { id: $import }) { importJob { id } }").needs(&[SeeJobs, SteerJobs]),
        subscription("importProgress(id: $import) { status }").needs(&[SeeJobs]),
        // many records at once
        mutation("bulkUpdate(input: { kind: CONTACT, ids: [$contact], addTags: [\"t\"] }) { matched }")
            .needs(&[BulkEdit, WriteContacts]),
        mutation("bulkUpdate(input: { kind: CONTACT, ids: [$contact], patch: { contact: { ownerId: $user } } }) { matched }")
            .needs(&[BulkEdit, WriteContacts, Assign]),
        mutation("bulkUpdate(input: { kind: LEAD, where: { all: [] }, addTags: [\"t\"] }) { matched }")
            .needs(&[BulkEdit, WriteLeads, ReadLeads]),
        mutation("bulkDelete(input: { kind: DEAL, ids: [$deal] }) { matched }").needs(&[BulkEdit, DeleteDeals]),
        mutation("bulkRestore(input: { kind: TASK, ids: [$deletedTask] }) { matched }").needs(&[BulkEdit, DeleteTasks]),
        mutation("bulkReassign(input: { from: $user, to: $user, kinds: [CONTACT] }) { matched }")
            .needs(&[BulkEdit, WriteContacts, Assign])
            .linking(),
        mutation("undoBulk(input: { jobId: $bulkJob }) { matched }").needs(&[BulkEdit, WriteContacts]),
        query("bulkJob(id: $bulkJob) { id }").needs(&[SeeJobs]),
        part("BulkJob.job", "is what the bulk change is done by, and read under the same right"),
        field("BulkJob.failures", "bulkJob(id: $bulkJob) { failures { nodes { recordId } } }").needs(&[SeeJobs]),
        field("BulkFailureConnection.totalCount", "bulkJob(id: $bulkJob) { failures { totalCount } }").needs(&[SeeJobs]),
    ]
}

pub fn rest() -> Vec<Door> {
    let person = r#"{ "email": "$email", "full_name": "N", "password": "correct horse battery" }"#;
    let passwords = r#"{ "currentPassword": "correct horse battery", "newPassword": "correct horse battery" }"#;
    let contact = r#"{ "first_name": "F", "last_name": "L", "email": "$email" }"#;
    let mut doors = vec![
        post("/auth/register").json(person).open("makes a workspace of one's own, where registration is open"),
        post("/auth/login")
            .json(r#"{ "email": "$knownEmail", "password": "correct horse battery" }"#)
            .open("is how one stops being a stranger; asks for the password"),
        post("/auth/refresh-token")
            .json(r#"{ "refreshToken": "$refreshToken" }"#)
            .open("the refresh token is the proof"),
        post("/auth/forgot-password")
            .json(r#"{ "email": "$knownEmail" }"#)
            .open("tells nothing; the mail goes to the owner"),
        post("/auth/reset-password/$resetLink")
            .json(r#"{ "password": "correct horse battery" }"#)
            .open("the link in the mail is the proof"),
        post("/auth/logout").needs(&[OwnSession]),
        get("/auth/me").needs(&[BeOneself]),
        put("/auth/update-password").json(passwords).needs(&[OwnPassword]),
        put("/auth/update-profile").json(r#"{ "department": "D" }"#).needs(&[OwnProfile]),
        get("/users").needs(&[ListUsers]).shows("user"),
        post("/users").json(person).needs(&[ManageUsers]),
        get("/users/$user").needs(&[SeeUsers]),
        put("/users/$user").json(r#"{ "department": "D" }"#).needs(&[WriteUsers, ManageUsers]),
        put("/users/$user").json(r#"{ "role": "support" }"#).needs(&[WriteUsers, ManageUsers]),
        delete("/users/$user").needs(&[ManageUsers]),
        get("/contacts").needs(&[ReadContacts]).shows("contact"),
        post("/contacts").json(contact).needs(&[WriteContacts]),
        get("/contacts/$contact").needs(&[ReadContacts]),
        put("/contacts/$contact").json(r#"{ "city": "C" }"#).needs(&[WriteContacts]),
        put("/contacts/$contact").json(r#"{ "assigned_to": "$user" }"#).needs(&[WriteContacts, Assign]),
        delete("/contacts/$contact").needs(&[DeleteContacts]),
        get("/accounts").needs(&[ReadAccounts]).shows("account"),
        post("/accounts").json(r#"{ "account_name": "N" }"#).needs(&[WriteAccounts]),
        get("/accounts/$account").needs(&[ReadAccounts]),
        put("/accounts/$account").json(r#"{ "industry": "I" }"#).needs(&[WriteAccounts]),
        put("/accounts/$account").json(r#"{ "assigned_to": "$user" }"#).needs(&[WriteAccounts, Assign]),
        delete("/accounts/$account").needs(&[DeleteAccounts]),
        get("/contact-lists").needs(&[ReadLists]).shows("list"),
        get("/contact-lists").needs(&[SeePrivateLists]).shows("privateList"),
        post("/contact-lists").json(r#"{ "name": "N" }"#).needs(&[WriteLists]),
        get("/contact-lists/$list").needs(&[ReadLists]),
        get("/contact-lists/$privateList").needs(&[SeePrivateLists]),
        put("/contact-lists/$list").json(r#"{ "name": "N" }"#).needs(&[ReadLists, WriteLists]),
        put("/contact-lists/$viewedList").json(r#"{ "name": "N" }"#).needs(&[ReadLists, WriteViewedLists]),
        put("/contact-lists/$viewedList").json(r#"{ "is_favorite": true }"#).needs(&[ReadLists, WriteLists]),
        delete("/contact-lists/$list").needs(&[OwnLists]),
        get("/contact-lists/$list/contacts").needs(&[ReadLists, ReadContacts]),
        post("/contact-lists/$list/contacts")
            .json(r#"{ "contact_ids": ["$contact"] }"#)
            .needs(&[WriteLists, ReadContacts]),
        delete("/contact-lists/$list/contacts")
            .json(r#"{ "contact_ids": ["$contact"] }"#)
            .needs(&[WriteLists, ReadContacts]),
        post("/contact-lists/$dynamicList/refresh").needs(&[WriteLists]),
        get("/import").needs(&[OwnImports]).shows("import"),
        post("/import").form().needs(&[Import, WriteContacts, SendFiles]),
        get("/import/$import").needs(&[SeeJobs]),
    ];
    doors.extend(of_route!("lead" "/leads" r#"{ "first_name": "F", "last_name": "L", "email": "l@l.test" }"# r#"{ "city": "C" }"#, ReadLeads WriteLeads MakeLeads DeleteLeads));
    doors.extend([
        get("/leads/stats/overview").needs(&[ReadLeads]),
        post("/leads/$lead/convert").needs(&[WriteLeads, WriteContacts]),
        post("/leads/$lead/convert")
            .json(r#"{ "create_account": true, "account_name": "N", "create_deal": true }"#)
            .needs(&[WriteLeads, WriteContacts, WriteAccounts, WriteDeals]),
        put("/leads/$lead/assign").json(r#"{ "assigned_to": "$user" }"#).needs(&[WriteLeads, Assign]),
    ]);
    doors.extend(of_route!("deal" "/deals" r#"{ "deal_name": "N" }"# r#"{ "stage": "Closed Won" }"#, ReadDeals WriteDeals WriteDeals DeleteDeals));
    doors.extend(of_route!("product" "/products" r#"{ "name": "N", "price": "1.00" }"# r#"{ "category": "C" }"#, ReadProducts WriteProducts WriteProducts DeleteProducts));
    doors.extend(of_route!("task" "/tasks" r#"{ "title": "N" }"# r#"{ "status": "completed" }"#, ReadTasks WriteTasks MakeTasks DeleteTasks));
    doors
}

pub fn bytes() -> Vec<Door> {
    vec![
        http(Method::POST, "/api/uploads").json(r#"{ "name": "a.csv", "size": 3 }"#).needs(&[SendFiles]),
        http(Method::PUT, "/api/uploads/$upload").bytes(b"abc").needs(&[SendFiles]),
        http(Method::HEAD, "/api/uploads/$upload").needs(&[SendFiles]),
        http(Method::GET, "/files/$fileLink").open("the signed link is the proof, and expires"),
    ]
}

fn query(text: &'static str) -> Door {
    Door::root("Query", "query", text)
}

fn mutation(text: &'static str) -> Door {
    Door::root("Mutation", "mutation", text)
}

fn subscription(text: &'static str) -> Door {
    Door::root("Subscription", "subscription", text)
}

/// A field of another type than the roots, and a query that leads to it.
fn field(name: &str, text: &'static str) -> Door {
    Door { name: name.to_owned(), ..query(text) }
}

fn part(name: &str, reason: &'static str) -> Door {
    Door { name: name.to_owned(), call: Call::Nothing, need: Need::Part(reason), look: None, links: false }
}

fn get(path: &'static str) -> Door {
    Door::rest(Method::GET, path)
}

fn post(path: &'static str) -> Door {
    Door::rest(Method::POST, path).json("{}")
}

fn put(path: &'static str) -> Door {
    Door::rest(Method::PUT, path)
}

fn delete(path: &'static str) -> Door {
    Door::rest(Method::DELETE, path)
}

fn http(method: Method, path: &'static str) -> Door {
    let name = format!("{method} {}", plain(path));
    Door {
        name,
        call: Call::Http(method, path.to_owned(), Body::None),
        need: Need::Rights(&[]),
        look: None,
        links: false,
    }
}

impl Door {
    fn root(root: &str, operation: &'static str, text: &'static str) -> Self {
        let name = text.split(['(', ' ']).next().unwrap_or_default();
        let (name, call) = (format!("{root}.{name}"), Call::Graphql(operation, text));
        Self { name, call, need: Need::Rights(&[]), look: None, links: false }
    }

    fn rest(method: Method, path: &str) -> Self {
        let path = format!("/api/v1{path}");
        let name = format!("{method} {}", plain(&path));
        Self { name, call: Call::Http(method, path, Body::None), need: Need::Rights(&[]), look: None, links: false }
    }

    fn needs(self, rights: &'static [Right]) -> Self {
        Self { need: Need::Rights(rights), ..self }
    }

    fn open(self, reason: &'static str) -> Self {
        Self { need: Need::Open(reason), ..self }
    }

    fn shows(self, what: &'static str) -> Self {
        Self { look: Some(Look::Shows(what)), ..self }
    }

    fn counts(self, what: &'static str) -> Self {
        Self { look: Some(Look::Counts(what)), ..self }
    }

    fn linking(self) -> Self {
        Self { links: true, ..self }
    }

    fn json(self, text: &'static str) -> Self {
        self.sending(Body::Json(text))
    }

    fn bytes(self, bytes: &'static [u8]) -> Self {
        self.sending(Body::Bytes(bytes))
    }

    fn form(self) -> Self {
        self.sending(Body::Form)
    }

    fn sending(mut self, sent: Body) -> Self {
        if let Call::Http(_, _, body) = &mut self.call {
            *body = sent;
        }
        self
    }

    /// Whether the call names a thing that is somebody's.
    pub fn names_something(&self) -> bool {
        let texts = match &self.call {
            Call::Graphql(_, text) => [*text, ""],
            Call::Http(_, path, Body::Json(text)) => [path.as_str(), *text],
            Call::Http(_, path, _) => [path.as_str(), ""],
            Call::Nothing => [""; 2],
        };
        let names = texts.iter().flat_map(|text| text.split('$').skip(1));
        names
            .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next())
            .any(|name| name.is_some_and(|name| OWNED.contains(&name)))
    }

    pub fn is_query(&self) -> bool {
        matches!(self.call, Call::Graphql("query", _))
    }

    pub fn is_subscription(&self) -> bool {
        matches!(self.call, Call::Graphql("subscription", _))
    }

    /// What the answer has for this very field; of a route's the whole answer.
    pub fn shown_in<'a>(&self, answer: &'a Value) -> Option<&'a Value> {
        match &self.call {
            Call::Graphql(..) => look_for(answer, self.name.rsplit('.').next()?),
            _ => Some(answer),
        }
    }
}

/// The value of this key, wherever it stands; what stands above it may be null instead.
fn look_for<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    match answer {
        Value::Object(entries) => {
            entries.get(name).or_else(|| entries.values().find_map(|value| look_for(value, name)))
        }
        Value::Array(items) => items.iter().find_map(|value| look_for(value, name)),
        Value::Null => Some(answer),
        _ => None,
    }
}
