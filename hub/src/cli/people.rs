//! `user` and `token`.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use wardkeep_hub::app::WebSettings;
use wardkeep_hub::auth::Logins;
use wardkeep_hub::serve::open_store;
use wardkeep_hub::store::Store;
use wardkeep_hub::store::users::{Role, User as Person};
use wardkeep_proto::ids::{OrganisationId, TenantName, UserId};

use super::init::DEFAULT_ORGANISATION;
use super::{Place, say, tenants};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person; an existing one keeps the role and joins the organisation.
    Add {
        /// As shown to people, e.g. an e-mail address.
        name: String,
        /// Sees every organisation.
        #[arg(long, conflicts_with = "organisation")]
        operator: bool,
        /// Sees this organisation; `default` when absent.
        #[arg(long)]
        organisation: Option<String>,
        /// Print a link that signs in once within 15 minutes.
        #[arg(long)]
        login_link: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a link that signs an existing person in once within 15 minutes.
    #[command(alias = "login-link")]
    Login {
        /// Who.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Everybody.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// A one-time token that enrols the server of this tenant within 30 minutes.
    Enrol {
        /// The tenant's name.
        name: TenantName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// A token of the JSON API with the rights of this person, for 90 days; shown once.
    Api {
        /// The person's name.
        name: String,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        label: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl User {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let store = open_store(&place.data_dir, &place.outside)?;
        match self {
            Self::Add { name, operator, organisation, login_link, json } => {
                let user = add(place, &store, &name, operator, organisation).await?;
                let link = if login_link { Some(link(place, &store, &user).await?) } else { None };
                if json {
                    return say(&json!({"id": user.id.to_string(), "name": user.name, "role": user.role.as_str(), "login_link": link}).to_string());
                }
                match link {
                    Some(link) => say(&link),
                    None => say(&format!(
                        "{} ({}) can sign in; print a link with: wardkeep-hub user login {name}",
                        user.name,
                        user.role.as_str()
                    )),
                }
            }
            Self::Login { name, json } => {
                let user = find(&store, &name).await?;
                let url = link(place, &store, &user).await?;
                say(&if json { json!({ "url": url }).to_string() } else { url })
            }
            Self::List { json } => {
                let users = store.users().await?;
                if json {
                    let view = |user: &Person| json!({"id": user.id.to_string(), "name": user.name, "role": user.role.as_str()});
                    return say(&serde_json::Value::from(users.iter().map(view).collect::<Vec<_>>()).to_string());
                }
                users.iter().try_for_each(|user| say(&format!("{:<9} {}", user.role.as_str(), user.name)))
            }
        }
    }
}

impl Token {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            Self::Enrol { name, json } => tenants::enrol_token(place, &name, json).await,
            Self::Api { name, label, json } => {
                let store = open_store(&place.data_dir, &place.outside)?;
                let user = find(&store, &name).await?;
                // The address does not matter for a token.
                let web = WebSettings { public_url: String::new(), link_address: String::new() };
                let token = logins(place, &store, web).new_api_token(user.id, &label).await?;
                say(&if json { json!({ "token": token }).to_string() } else { token })
            }
        }
    }
}

async fn add(
    place: &Place,
    store: &Store,
    name: &str,
    operator: bool,
    organisation: Option<String>,
) -> anyhow::Result<Person> {
    let name = name.trim();
    anyhow::ensure!(!name.is_empty() && name.chars().count() <= 200, "a name has 1 to 200 characters");
    anyhow::ensure!(!name.chars().any(char::is_control), "a name has no control characters");
    let (now, chance) = (place.outside.clock.now(), place.outside.chance.as_ref());
    let role = if operator { Role::Operator } else { Role::Member };
    let joined = match role {
        Role::Operator => None,
        Role::Member => {
            let organisation = organisation.as_deref().unwrap_or(DEFAULT_ORGANISATION);
            Some(store.organisation(OrganisationId::new(now, chance), organisation, now).await?.id)
        }
    };
    let user = Person { id: UserId::new(now, chance), name: name.to_owned(), role };
    let found = store.add_user(user, joined, now).await?;
    anyhow::ensure!(found.role == role, "{name} exists with the role of {}", found.role.as_str());
    Ok(found)
}

async fn find(store: &Store, name: &str) -> anyhow::Result<Person> {
    let found = store.user_named(name).await?;
    found.with_context(|| format!("nobody is named {name}; add them with: wardkeep-hub user add {name}"))
}

async fn link(place: &Place, store: &Store, user: &Person) -> anyhow::Result<String> {
    let web = place.web()?;
    let url = web.public_url.clone();
    let link = logins(place, store, web).new_link(user.id).await?;
    Ok(format!("{url}/login/{}", link.token))
}

fn logins(place: &Place, store: &Store, web: WebSettings) -> Logins {
    let (clock, chance) = (Arc::clone(&place.outside.clock), Arc::clone(&place.outside.chance));
    Logins::new(store.clone(), clock, chance, Arc::new(web))
}
