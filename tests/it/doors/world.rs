//! Two workspaces with people of every role, and whatever a door is tried at, made fresh for each
//! attempt: many doors change what they are tried at.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::TimeDelta;
use kontor::{
    auth::{Caller, Origin, Permission, Role, Via, session::SessionKind},
    base::ids::LeadId,
    crm::{
        Account, Contact, Deal, Lead, Product, RecordKind, Task,
        bulk::{self, Asked, Chosen, NewBulk},
        contacts::addresses::{self, AddressKind, NewAddress},
        deals::line_items::{self, ItemChanges, ItemInput},
        fields::{self, CustomType, ops::NewField},
        leads::convert::{AccountChoice, NewDeal, Options, convert},
        merge::{self, MergeRequest},
        notes::{self, NewNote},
        pipelines::{
            self, StageType,
            ops::NewPipeline,
            stages::{self, NewStage},
        },
        record::{Record, ops},
        tasks::reminders::give_due,
    },
    ctx::Ctx,
    files::{FileName, upload, write},
    jobs::{Enqueued, enqueue},
    lists::{
        self, ListType, Sharing,
        model::Share,
        ops::{ListPatch, NewList},
    },
    team::{invitations, letters, teams, tokens},
    transfer::import::{self, ImportOptions, NewImport, SettleImports},
};
use serde_json::{Value, json};

use super::found;
use crate::support::{
    client::Client,
    records::make_record,
    server::{TestServer, make_user, start_session},
    sql,
};

/// What belongs to somebody. Besides there are `email` (a new one), `knownEmail`, `refreshToken`,
/// `resetLink`, `invitationLink`, `fileLink` and `cursor`, which prove or name nothing of anybody's
/// by themselves.
pub const OWNED: [&str; 48] = [
    "account",
    "accountOfLead",
    "bulkJob",
    "contact",
    "contactOfLead",
    "contactWithAddress",
    "convertedLead",
    "customField",
    "deal",
    "dealOfLead",
    "dealWithItem",
    "deletedAccount",
    "deletedContact",
    "deletedDeal",
    "deletedLead",
    "deletedProduct",
    "deletedTask",
    "dynamicList",
    "extraAddress",
    "failedJob",
    "file",
    "import",
    "invitation",
    "job",
    "lead",
    "list",
    "listFolder",
    "merge",
    "mergedContact",
    "note",
    "notedContact",
    "pipeline",
    "privateList",
    "product",
    "remindedTask",
    "session",
    "stage",
    "task",
    "taskOfAccount",
    "taskOfContact",
    "taskOfDeal",
    "taskOfLead",
    "team",
    "token",
    "upload",
    "user",
    "viewedList",
    "workspace",
];

pub struct World {
    pub server: TestServer,
    pub stranger: Client,
    /// Comes with a token that nobody made.
    pub impostor: Client,
    pub admin: Client,
    manager: Client,
    sales_rep: Client,
    support: Client,
    /// A colleague of these, whose things the others' are.
    pub other: Client,
    /// The admin of another workspace.
    pub foreigner: Client,
    /// All scopes that there are.
    pub scopes: Vec<&'static str>,
    /// The admin's tokens by their scopes.
    tokens: Mutex<HashMap<Vec<&'static str>, Client>>,
}

impl World {
    pub async fn new() -> Self {
        // without a worker: jobs stay as they are put, so there are many imports; and many pipelines
        let many = |ctx: &mut Ctx| {
            let limits = Arc::make_mut(&mut ctx.limits);
            (limits.open_imports_per_user, limits.pipelines) = (100_000, 100_000);
        };
        let server = TestServer::start_idle_with(many).await;
        let (admin, foreigner) = (server.admin().await, server.other_workspace().await);
        Self {
            stranger: server.stranger(),
            impostor: server.client("kontor_a_made_up"),
            manager: admin.invite_role(Role::Manager).await,
            sales_rep: admin.invite_role(Role::SalesRep).await,
            support: admin.invite_role(Role::Support).await,
            other: admin.invite_role(Role::Admin).await,
            scopes: Permission::ALL.iter().map(|permission| permission.scope()).collect(),
            tokens: Mutex::default(),
            admin,
            foreigner,
            server,
        }
    }

    pub fn person(&self, role: Role) -> &Client {
        match role {
            Role::Admin => &self.admin,
            Role::Manager => &self.manager,
            Role::SalesRep => &self.sales_rep,
            Role::Support => &self.support,
        }
    }

    pub async fn schema(&self) -> Value {
        self.admin.data(found::INTROSPECTION, json!({})).await
    }

    /// Every field that a line may be about.
    pub async fn known_fields(&self) -> BTreeSet<String> {
        found::known(&self.schema().await)
    }

    /// Whoever has the admin's token with these scopes; with none it was made for everything.
    pub async fn token(&self, scopes: &[&'static str]) -> Client {
        let known = |tokens: &Mutex<HashMap<_, Client>>| {
            tokens.lock().unwrap_or_else(PoisonError::into_inner).get(scopes).cloned()
        };
        if let Some(client) = known(&self.tokens) {
            return client;
        }
        let scopes = scopes.to_vec();
        let new = tokens::NewToken {
            name: "of a door".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            expires_at: None,
        };
        let (_, secret) = tokens::create(&self.server.ctx, &self.admin.caller(), new).await.expect("a token");
        let client = self.server.stranger().signed_in(self.admin.me(), secret.text);
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(scopes, client.clone());
        client
    }

    /// The text with a thing of this owner, in these quotes, for each `$name`.
    pub async fn fill(&self, text: &str, quote: &str, owner: &Client) -> String {
        let mut parts = text.split('$');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            filled.push_str(&format!("{quote}{}{quote}{rest}", self.make(name, owner).await));
        }
        filled
    }

    /// Makes such a thing of this owner's, and says its id or secret.
    pub async fn make(&self, what: &str, owner: &Client) -> String {
        let ctx = &self.server.ctx;
        // things come into being whatever their owner may make
        let maker = Caller::new(owner.workspace(), owner.user(), Role::Admin, Origin::System, Via::System);
        match what {
            "email" => format!("{}@new.test", uuid::Uuid::now_v7().simple()),
            "knownEmail" => self.email_of(&self.other).await,
            "cursor" => self.server.cursor().await,
            "contact" | "deletedContact" => {
                let account = self.account(&maker).await;
                let fields = json!({ "lastName": "Hopper", "accountId": account, "ownerId": owner.user() });
                let contact = make_record::<Contact>(ctx, &maker, fields).await.id.0;
                self.perhaps_deleted::<Contact>(&maker, what, contact).await
            }
            "account" | "deletedAccount" => {
                let account = self.account(&maker).await;
                self.perhaps_deleted::<Account>(&maker, what, account).await
            }
            "lead" | "deletedLead" => {
                let lead = self.lead(&maker).await;
                self.perhaps_deleted::<Lead>(&maker, what, lead).await
            }
            "convertedLead" | "contactOfLead" | "accountOfLead" | "dealOfLead" => {
                let lead = LeadId(self.lead(&maker).await);
                // another name each time, for an account of the same name would be theirs together
                let name = format!("Navy {}", uuid::Uuid::now_v7());
                let (account, deal) = (Some(AccountChoice::Named(Some(name))), Some(NewDeal::default()));
                let options = Options { account, deal, owner: None };
                let made = convert(ctx, &maker, lead, options).await.expect("converted");
                let id = match what {
                    "contactOfLead" => made.contact.expect("a contact").id.0,
                    "accountOfLead" => made.account.expect("an account").id.0,
                    "dealOfLead" => made.deal.expect("a deal").id.0,
                    _ => lead.0,
                };
                id.to_string()
            }
            "deal" | "deletedDeal" => {
                let (account, contact) = (self.account(&maker).await, self.make("contact", owner));
                let contact = Box::pin(contact).await;
                let fields =
                    json!({ "name": "Ship", "accountId": account, "contactId": contact, "ownerId": owner.user() });
                let deal = make_record::<Deal>(ctx, &maker, fields).await.id.0;
                self.perhaps_deleted::<Deal>(&maker, what, deal).await
            }
            "dealWithItem" => {
                let deal = Box::pin(self.make("deal", owner)).await;
                let product = Box::pin(self.make("product", owner)).await;
                let item = ItemInput { product: Some(product.parse().ok()), ..ItemInput::default() };
                let changes = ItemChanges { add: vec![item], ..ItemChanges::default() };
                let id = deal.parse().expect("an id");
                line_items::change(ctx, &maker, id, None, changes).await.expect("an item");
                deal
            }
            "pipeline" => self.pipeline(&maker).await.to_string(),
            "stage" => {
                let new = NewStage { name: "Won".to_owned(), stage_type: StageType::Won, probability: None };
                let pipeline = self.pipeline(&maker).await;
                stages::create(ctx, &maker, pipeline, new, None).await.expect("a stage").1.id.to_string()
            }
            "product" | "deletedProduct" => {
                let fields = json!({ "name": "Compiler", "ownerId": owner.user() });
                let product = make_record::<Product>(ctx, &maker, fields).await.id.0;
                self.perhaps_deleted::<Product>(&maker, what, product).await
            }
            "task" | "deletedTask" => {
                let fields = json!({ "title": "Call", "ownerId": owner.user() });
                let task = make_record::<Task>(ctx, &maker, fields).await.id.0;
                self.perhaps_deleted::<Task>(&maker, what, task).await
            }
            "remindedTask" => {
                let due = ctx.clock.now() - TimeDelta::minutes(1);
                let fields = json!({ "title": "Call", "ownerId": owner.user(), "reminder": due });
                let task = make_record::<Task>(ctx, &maker, fields).await.id.0;
                while give_due(ctx).await.expect("given") {}
                task.to_string()
            }
            "taskOfAccount" | "taskOfContact" | "taskOfDeal" | "taskOfLead" => {
                let about = what.trim_start_matches("taskOf").to_lowercase();
                let id = Box::pin(self.make(&about, owner)).await;
                let fields = json!({ "title": "Call", "ownerId": owner.user(), format!("{about}Id"): id });
                make_record::<Task>(ctx, &maker, fields).await.id.0.to_string()
            }
            "customField" => {
                let new = NewField {
                    kind: RecordKind::Contact,
                    key: None,
                    label: "Plan".to_owned(),
                    description: None,
                    field_type: CustomType::Text,
                    choices: Vec::new(),
                    record_kind: None,
                    is_required: false,
                    is_unique: false,
                    is_indexed: false,
                };
                fields::ops::create(ctx, &maker, new).await.expect("a field").field.id.to_string()
            }
            "note" | "notedContact" => {
                let contact = Box::pin(self.make("contact", owner)).await;
                let record = contact.parse().expect("an id");
                let new = NewNote { kind: RecordKind::Contact, record, body: "N".to_owned(), is_pinned: false };
                let note = notes::create(ctx, &maker, new).await.expect("a note");
                if what == "note" { note.id.to_string() } else { contact }
            }
            "contactWithAddress" | "extraAddress" => {
                let contact = Box::pin(self.make("contact", owner)).await;
                let address = format!("{}@further.test", uuid::Uuid::now_v7().simple());
                let new = NewAddress { kind: AddressKind::Email, address, label: None };
                let id = contact.parse().expect("an id");
                addresses::add(ctx, &maker, id, None, new).await.expect("an address");
                let found = addresses::of_contacts(ctx, &maker, &[id]).await.expect("read");
                if what == "extraAddress" { found[&id][0].id.to_string() } else { contact }
            }
            "merge" | "mergedContact" => {
                let (one, two) =
                    (Box::pin(self.make("contact", owner)).await, Box::pin(self.make("contact", owner)).await);
                let request = MergeRequest {
                    winner: one.parse().expect("an id"),
                    losers: vec![two.parse().expect("an id")],
                    choices: Vec::new(),
                    expected: Vec::new(),
                };
                let merged = Box::pin(merge::merge::<Contact>(ctx, &maker, request)).await.expect("merged");
                if what == "merge" { merged.1.id.to_string() } else { two }
            }
            "user" => self.user(owner, &maker).await,
            "session" => self.session(owner).await.session.to_string(),
            "refreshToken" => self.session(&self.other).await.refresh.expect("a token session").text,
            "token" => {
                let new = tokens::NewToken { name: "N".to_owned(), scopes: Vec::new(), expires_at: None };
                tokens::create(ctx, &maker, new).await.expect("a token").0.id.to_string()
            }
            "team" => {
                let new = teams::NewTeam { name: uuid::Uuid::now_v7().to_string(), members: Vec::new() };
                teams::create(ctx, &maker, new).await.expect("a team").id.to_string()
            }
            "workspace" => self.workspace(owner).await,
            "invitation" => self.invitation(&maker).await.to_string(),
            "invitationLink" => {
                let invitation = self.invitation(&self.other.caller()).await;
                let mail =
                    letters::prepare_invitation(ctx, self.other.workspace(), invitation).await.expect("prepared");
                mail.expect("an open invitation").link.text
            }
            "resetLink" => {
                let user = make_user(ctx, &self.other.caller(), Role::Support).await;
                letters::prepare_reset(ctx, user).await.expect("prepared").expect("somebody's").link.text
            }
            "list" | "privateList" | "viewedList" | "dynamicList" => self.list(&maker, what).await,
            "listFolder" => self.folder(&maker).await.to_string(),
            "job" | "failedJob" => self.job(&maker, what == "failedJob").await,
            "bulkJob" => self.bulk_job(&maker, owner).await,
            "upload" => {
                let mut tx = ctx.db.begin(&maker).await.expect("a transaction");
                let new = upload::NewUpload { name: "a.csv".to_owned(), announced_size: Some(3), ..Default::default() };
                let id = upload::create(&ctx.files, &mut tx, &maker, new).await.expect("announced");
                tx.commit().await.expect("committed");
                id.to_string()
            }
            "file" => self.file(&maker).await.to_string(),
            "fileLink" => {
                let (file, until) = (self.file(&maker).await, ctx.clock.now() + TimeDelta::hours(1));
                ctx.files.signer().sign(maker.workspace, file, until).trim_start_matches("/files/").to_owned()
            }
            "import" => {
                let (kind, file) = (RecordKind::Contact, self.file(&maker).await);
                let new = NewImport { kind, file, mapping: Default::default(), options: ImportOptions::default() };
                import::create(ctx, &maker, new).await.expect("an import").id.to_string()
            }
            _ => panic!("nobody knows how to make ${what}"),
        }
    }

    async fn pipeline(&self, maker: &Caller) -> kontor::base::ids::PipelineId {
        let stage = NewStage { name: "Open".to_owned(), stage_type: StageType::Open, probability: Some(10) };
        let new = NewPipeline { name: uuid::Uuid::now_v7().to_string(), stages: vec![stage] };
        pipelines::ops::create(&self.server.ctx, maker, new).await.expect("a pipeline").id
    }

    async fn account(&self, maker: &Caller) -> uuid::Uuid {
        let fields = json!({ "name": "Navy", "ownerId": maker.user });
        make_record::<Account>(&self.server.ctx, maker, fields).await.id.0
    }

    async fn lead(&self, maker: &Caller) -> uuid::Uuid {
        let fields = json!({ "lastName": "Hopper", "ownerId": maker.user });
        make_record::<Lead>(&self.server.ctx, maker, fields).await.id.0
    }

    /// Each has a folder, a share with its own maker and, unless criteria choose them, a member.
    async fn list(&self, maker: &Caller, what: &str) -> String {
        let ctx = &self.server.ctx;
        let is_dynamic = what == "dynamicList";
        let member = make_record::<Contact>(ctx, maker, json!({ "lastName": "Member" })).await.id.0;
        let patch = ListPatch {
            criteria: is_dynamic.then(|| json!({})),
            contacts: (!is_dynamic).then(|| vec![member]),
            folder: Some(Some(self.folder(maker).await)),
            sharing: Some(match what {
                "privateList" => Sharing::Private,
                "viewedList" => Sharing::View,
                _ => Sharing::Edit,
            }),
            ..ListPatch::default()
        };
        let list_type = Some(if is_dynamic { ListType::Dynamic } else { ListType::Static });
        let list =
            lists::ops::create(ctx, maker, NewList { name: what.to_owned(), list_type, patch }).await.expect("a list");
        let share = Share { list_id: list.id, user_id: Some(maker.user), team_id: None, can_edit: true };
        lists::ops::share(ctx, maker, list.id, None, Some(vec![share])).await.expect("shared");
        list.id.to_string()
    }

    async fn folder(&self, maker: &Caller) -> kontor::base::ids::ListFolderId {
        let name = uuid::Uuid::now_v7().to_string();
        lists::folders::create(&self.server.ctx, maker, &name).await.expect("a folder").id
    }

    async fn perhaps_deleted<R: Record>(&self, maker: &Caller, what: &str, id: uuid::Uuid) -> String {
        if what.starts_with("deleted") {
            ops::delete::<R>(&self.server.ctx, maker, id, None).await.expect("deleted");
        }
        id.to_string()
    }

    /// A fresh colleague, or for those who have but themselves their own id.
    async fn user(&self, owner: &Client, maker: &Caller) -> String {
        let has_others = [&self.other, &self.foreigner].iter().any(|one| one.user() == owner.user());
        match has_others {
            true => make_user(&self.server.ctx, maker, Role::SalesRep).await.to_string(),
            false => owner.user().to_string(),
        }
    }

    async fn session(&self, owner: &Client) -> kontor::auth::session::Started {
        start_session(&self.server.ctx, owner.workspace(), owner.user(), SessionKind::Tokens).await
    }

    /// A workspace that the owner is a member of besides their first.
    async fn workspace(&self, owner: &Client) -> String {
        let (founder, user) = (self.server.other_workspace().await, owner.user());
        let join = format!(
            "INSERT INTO members (workspace_id, user_id, role, created_at) VALUES ('{}', '{user}', 'support', now())",
            founder.workspace()
        );
        sql::run(&self.server.database.db, &join).await;
        founder.workspace().to_string()
    }

    async fn invitation(&self, maker: &Caller) -> kontor::base::ids::InvitationId {
        let email = format!("{}@invited.test", uuid::Uuid::now_v7().simple());
        let new = invitations::NewInvitation { email, full_name: None, role: Role::Support };
        invitations::invite(&self.server.ctx, maker, new).await.expect("invited").id
    }

    async fn job(&self, maker: &Caller, failed: bool) -> String {
        let ctx = &self.server.ctx;
        let mut tx = ctx.db.begin(maker).await.expect("a transaction");
        let about = Enqueued { workspace: Some(maker.workspace), created_by: Some(maker.user), ..Enqueued::default() };
        let id = enqueue::<Ctx, _>(&mut tx, ctx.clock.now(), &SettleImports {}, about).await.expect("enqueued");
        tx.commit().await.expect("committed");
        let id = id.expect("a job");
        if failed {
            let fail = format!("UPDATE jobs SET state = 'failed', due = false, finished_at = now() WHERE id = '{id}'");
            sql::run(&self.server.database.db, &fail).await;
        }
        id.to_string()
    }

    /// One that has ended.
    async fn bulk_job(&self, maker: &Caller, owner: &Client) -> String {
        let contact = Box::pin(self.make("contact", owner)).await.parse().expect("an id");
        let asked =
            Asked::Update { values: Default::default(), add_tags: vec!["t".to_owned()], remove_tags: Vec::new() };
        let new = NewBulk { kind: RecordKind::Contact, chosen: Chosen::Ids(vec![contact]), asked, expected: None };
        let started = bulk::ops::start(&self.server.ctx, maker, new).await.expect("started");
        let id = started.job.id;
        let end = format!("UPDATE jobs SET state = 'completed', due = false, finished_at = now() WHERE id = '{id}'");
        sql::run(&self.server.database.db, &end).await;
        id.to_string()
    }

    async fn file(&self, maker: &Caller) -> kontor::base::ids::FileId {
        let ctx = &self.server.ctx;
        let new = write::NewFile {
            name: FileName::parse("people.csv").expect("a name"),
            media_type: "text/csv",
            created_by: maker.user,
            expires_at: ctx.clock.now() + TimeDelta::days(1),
        };
        let mut writer = write::write_new(&ctx.files, maker.workspace, new).await.expect("a file");
        writer.write(b"last_name\nHopper\n").await.expect("written");
        writer.finish().await.expect("finished").id
    }

    async fn email_of(&self, owner: &Client) -> String {
        let query = format!("SELECT email AS value FROM users WHERE id = '{}'", owner.user());
        sql::texts(&self.server.database.db, &query).await.remove(0)
    }
}
