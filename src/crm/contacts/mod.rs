//! Contacts: the people we do business with. One may lack an e-mail address or a last name
//! (imports, calls and chats bring such), but some way to name or reach them is needed. What reaches
//! them besides are their further [`addresses`].

pub mod addresses;

use uuid::Uuid;

use crate::{
    auth::Permission,
    base::{
        FieldErrors, Result,
        ids::{ContactId, WorkspaceId},
    },
    crm::{
        accounts::AccountLink,
        record::{FieldType, Patch, RecordKind, Rules},
    },
    db::Tx,
    record, stored_choice, text_enum,
};

/// Another record's contact.
pub type ContactLink = Option<ContactId>;

text_enum! {
    /// Where a lead, a contact or a deal came from.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ContactSource")]
    pub enum ContactSource {
        Website = "website",
        Referral = "referral",
        SocialMedia = "social_media",
        EmailCampaign = "email_campaign",
        ColdCall = "cold_call",
        Event = "event",
        Other = "other",
    }
}

text_enum! {
    /// Where a contact stands with us.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "ContactStatus")]
    pub enum ContactStatus {
        Active = "active",
        Inactive = "inactive",
        Lead = "lead",
        Customer = "customer",
    }
}

stored_choice!(ContactSource, ContactStatus);

/// Where leads, contacts and deals come from: one set of words.
pub const SOURCE_WORDS: &[&str] = ContactSource::WORDS;
pub const SOURCES: FieldType = FieldType::Choice(SOURCE_WORDS);
const STATUSES: FieldType = FieldType::Choice(ContactStatus::WORDS);

record! {
    /// A person we do business with.
    pub struct Contact in contacts as Contact with ContactId {
        first_name: Option<String> = "firstName" "first_name" Text,
        last_name: Option<String> = "lastName" "last_name" Text,
        email: Option<String> = "email" "email" Email,
        phone: Option<String> = "phone" "phone" Phone,
        mobile: Option<String> = "mobile" "mobile" Phone,
        title: Option<String> = "title" "title" Text,
        department: Option<String> = "department" "department" Text,
        account_id: AccountLink = "accountId" "account_id" Link(RecordKind::Account),
        source: ContactSource = "source" "source" SOURCES,
        status: ContactStatus = "status" "status" STATUSES,
        linkedin_url: Option<String> = "linkedinUrl" "linkedin_url" Url,
        twitter_handle: Option<String> = "twitterHandle" "twitter_handle" Text,
        address: Option<String> = "address" "address" LongText,
        city: Option<String> = "city" "city" Text,
        state: Option<String> = "state" "state" Text,
        country: Option<String> = "country" "country" Text,
        postal_code: Option<String> = "postalCode" "postal_code" Text,
        notes: Option<String> = "notes" "notes" LongText,
        last_contact_date: Option<chrono::DateTime<chrono::Utc>> = "lastContactDate" "last_contact_date" Instant,
    }
}

impl Rules for Contact {
    type Looked = ();

    const READ: Permission = Permission::ContactsRead;
    const WRITE: Permission = Permission::ContactsWrite;
    const DELETE: Permission = Permission::ContactsDelete;
    const NOUN: &'static str = "Contact";
    const PARTS: &'static [&'static str] = &[addresses::PART];

    fn display_name(&self) -> String {
        let name = [&self.first_name, &self.last_name].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            return name;
        }
        [&self.email, &self.phone, &self.mobile].into_iter().flatten().next().cloned().unwrap_or_default()
    }

    fn check_whole(&self, fields: &mut FieldErrors) {
        let known = [&self.first_name, &self.last_name, &self.email, &self.phone, &self.mobile];
        if known.iter().all(|value| value.is_none()) {
            fields.add("lastName", "or a first name, an e-mail address or a phone number is needed");
        }
    }

    /// Nobody may make an address a further one of somebody while it becomes a contact's own.
    async fn hold(tx: &mut Tx, workspace: WorkspaceId, patch: Option<&Patch>) -> Result<()> {
        match patch {
            Some(patch) if !patch.sets("email") => Ok(()),
            _ => addresses::share_in(tx, workspace).await,
        }
    }

    async fn in_the_way(&self, tx: &mut Tx, workspace: WorkspaceId) -> Result<Option<Uuid>> {
        addresses::holder_in(tx, workspace, self).await
    }
}
