//! What all requests share.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use bundle_format::digest::Sha256;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::newer_protocols::NewerProtocols;
use crate::server::{
    error::ServerError,
    failure::Failure,
    options::{Addresses, ServeOptions},
    view::View,
};
use crate::{
    catalog::{Catalog, CatalogError},
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::{Contact, Fleet, FleetError},
    protocol::{
        Cookie, CookieSealer, DateTime, ErrorCode, ProtocolFault,
        client::{Config, MAX_EXTENDED_UPDATES},
    },
};

/// How long a cookie lives: as on a WSUS.
const COOKIE_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long that of a downstream server lives: as on a WSUS.
const SYNC_COOKIE_LIFE: SignedDuration = SignedDuration::from_mins(240);
/// A computer that keeps talking is noted this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Requests that are worked on at one time.
const AT_WORK: usize = 32;
/// Requests over [`super::exchange::SMALL_BODY`] that are held at one time.
const LARGE_BODIES: usize = 8;

/// What is served at one moment, with the cookies that belong to it.
pub(crate) struct Serving {
    pub(crate) view: View,
    pub(crate) cookies: CookieSealer,
    /// Those of downstream servers: none passes for one of an agent.
    pub(crate) sync_cookies: CookieSealer,
}

/// The state of a running server.
pub(crate) struct ServerState {
    data: DataDir,
    options: ServeOptions,
    addresses: Addresses,
    local: SocketAddr,
    content: ContentStore,
    fleet: Mutex<Fleet>,
    secrets: SiteSecrets,
    config: Config,
    serving: ArcSwap<Serving>,
    noted: Mutex<HashMap<String, Timestamp>>,
    /// Changes of catalogue and fleet up to which replicas are told.
    pub(crate) replicated: Mutex<Option<(u64, u64)>>,
    pub(crate) newer_protocols: NewerProtocols,
    /// Held while a large document is put into the form in which servers send it.
    pub(crate) large_document: Mutex<()>,
    pub(crate) at_work: Semaphore,
    pub(crate) large_bodies: Semaphore,
    /// For requests over the usual bounds: reports of downstream servers.
    pub(crate) largest_body: Semaphore,
}

/// What the servers of a site share through the fleet.
struct SiteSecrets {
    server_id: Uuid,
    rollup_reset: Uuid,
    cookie_key: [u8; 32],
}

/// A request with a cookie that holds.
pub(crate) struct AgentSession {
    pub(crate) serving: Arc<Serving>,
    pub(crate) cookie: Cookie,
}

impl ServerState {
    /// Opens the stores and loads the first view. Blocking.
    pub(crate) fn open(
        data: DataDir,
        mut options: ServeOptions,
        addresses: Addresses,
    ) -> Result<Self, ServerError> {
        let local = addresses.plain.or(addresses.tls).ok_or(ServerError::Nowhere)?;
        options.public_url = options.public_url.as_deref().map(public_url).transpose()?;
        // Before the first import there is no catalogue yet: an empty one is served.
        drop(Catalog::open(&data.catalog())?);
        let content = ContentStore::open(&data.content())?;
        let mut fleet = Fleet::open(&data.fleet())?;
        let secrets = SiteSecrets::load(&mut fleet)?;
        let config = config(&mut fleet)?;
        let view = View::load(&data, &options.view, None)?;
        let numbering = numbering(&data)?;
        let cookies = secrets.sealer(numbering)?;
        let sync_cookies = secrets.sync_sealer(numbering)?;
        Ok(Self {
            data,
            options,
            addresses,
            local,
            content,
            fleet: Mutex::new(fleet),
            secrets,
            config,
            serving: ArcSwap::from_pointee(Serving { view, cookies, sync_cookies }),
            noted: Mutex::default(),
            replicated: Mutex::default(),
            newer_protocols: NewerProtocols::default(),
            large_document: Mutex::default(),
            at_work: Semaphore::new(AT_WORK),
            large_bodies: Semaphore::new(LARGE_BODIES),
            largest_body: Semaphore::new(1),
        })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    pub(crate) fn options(&self) -> &ServeOptions {
        &self.options
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn content(&self) -> &ContentStore {
        &self.content
    }

    /// What is served now. A request keeps what it took, whatever is swapped meanwhile.
    pub(crate) fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// The fleet, for a moment. Blocking.
    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        // A panic cannot have left a transaction half done: SQLite rolled it back.
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a cookie that is made now ends.
    pub(crate) fn cookie_end(&self, now: Timestamp) -> Timestamp {
        // Sealed cookies hold microseconds: what agents are told must be the same in every answer.
        let end = now.checked_add(COOKIE_LIFE).unwrap_or(Timestamp::MAX);
        Timestamp::from_microsecond(end.as_microsecond()).unwrap_or(end)
    }

    /// The same of a downstream server.
    pub(crate) fn sync_cookie_end(&self, now: Timestamp) -> Timestamp {
        now.checked_add(SYNC_COOKIE_LIFE).unwrap_or(Timestamp::MAX)
    }

    /// The catalogue as it is now: downstream servers read documents and change marks, of which the
    /// view has none. Blocking.
    pub(crate) fn catalog(&self) -> Result<Catalog, Failure> {
        Catalog::open_read_only(&self.data.catalog()).map_err(Failure::internal)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// How downstream servers know this one.
    pub(crate) fn server_id(&self) -> Uuid {
        self.secrets.server_id
    }

    /// Moves when all that downstream servers reported is lost: they report it again.
    pub(crate) fn rollup_reset(&self) -> Uuid {
        self.secrets.rollup_reset
    }

    /// Whether a server may be a downstream of this one.
    pub(crate) fn is_welcome(&self, downstream: Uuid) -> bool {
        self.options.downstreams.as_ref().is_none_or(|list| list.contains(&downstream))
    }

    /// Checks the cookie of a request. [MS-WUSP] 3.1.5
    pub(crate) fn visit(
        &self,
        token: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<AgentSession, Failure> {
        let serving = self.serving();
        let none = || ProtocolFault::new(ErrorCode::InvalidCookie, "there is no cookie");
        let cookie = serving.cookies.open_cookie(token.ok_or_else(none)?)?;
        if now > cookie.expires {
            return Err(
                ProtocolFault::new(ErrorCode::CookieExpired, "the cookie has expired").into()
            );
        }
        Ok(AgentSession { serving, cookie })
    }

    /// Notes that a computer was here, but not more often than anybody wants to know.
    pub(crate) fn note(
        &self,
        client: &str,
        contact: Contact,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |then: &Timestamp| now.duration_since(*then).abs() < NOTE_EVERY;
        if noted.get(client).is_some_and(recent) {
            return Ok(());
        }
        if noted.len() > 10_000 {
            noted.retain(|_, then| recent(then));
        }
        noted.insert(client.to_owned(), now);
        drop(noted);
        self.fleet().contact(client, contact, now)
    }

    /// Looks again and again whether the stores have changed, and swaps the view if so. Requests go
    /// on with what they took.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut failing = String::new();
        loop {
            tokio::time::sleep(self.options.poll).await;
            let app = Arc::clone(&self);
            let result = match tokio::task::spawn_blocking(move || app.refresh()).await {
                Ok(result) => result.map_err(|error| crate::server::failure::chain(&error)),
                Err(error) => Err(error.to_string()),
            };
            match result {
                Ok(()) => failing.clear(),
                // The same trouble is told once.
                Err(error) if error == failing => {}
                Err(error) => {
                    tracing::error!(error, "cannot load what changed; the old state is served");
                    failing = error;
                }
            }
        }
    }

    /// Swaps the view if the stores have changed. Blocking.
    fn refresh(&self) -> Result<(), ServerError> {
        let catalog = Catalog::open_read_only(&self.data.catalog())?.change()?;
        let fleet = self.fleet().change()?;
        let old = self.serving();
        if old.view.is_current(catalog, fleet) {
            return Ok(());
        }
        let view = View::load(&self.data, &self.options.view, Some(&old.view))?;
        let numbering = numbering(&self.data)?;
        let cookies = self.secrets.sealer(numbering)?;
        let sync_cookies = self.secrets.sync_sealer(numbering)?;
        self.serving.store(Arc::new(Serving { view, cookies, sync_cookies }));
        Ok(())
    }
}

impl SiteSecrets {
    fn load(fleet: &mut Fleet) -> Result<Self, ServerError> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| ServerError::Random)?;
        let mut keep = |name: &str, new: &[u8]| {
            let kept = fleet.value_or_insert(name, new)?;
            Ok::<_, ServerError>((kept, ServerError::Value { key: name.to_owned() }))
        };
        let (kept, damaged) = keep("cookie-key", &key)?;
        let cookie_key = kept.try_into().map_err(|_| damaged)?;
        let (kept, damaged) = keep("server-id", Uuid::new_v4().as_bytes())?;
        let server_id = Uuid::from_slice(&kept).map_err(|_| damaged)?;
        let (kept, damaged) = keep("rollup-reset", Uuid::new_v4().as_bytes())?;
        let rollup_reset = Uuid::from_slice(&kept).map_err(|_| damaged)?;
        Ok(Self { server_id, rollup_reset, cookie_key })
    }

    /// Cookies of downstream servers: another mirror's catalogue counts its changes otherwise.
    fn sync_sealer(&self, numbering: Option<Uuid>) -> Result<CookieSealer, ServerError> {
        let server = Uuid::new_v5(&self.server_id, b"server-sync");
        let server = numbering.map_or(server, |mirror| Uuid::new_v5(&server, mirror.as_bytes()));
        CookieSealer::new(&self.cookie_key, server).ok_or(ServerError::Random)
    }

    /// Cookies say which numbering they belong to: another mirror numbers otherwise, and agents must
    /// then hear `ServerChanged`.
    fn sealer(&self, numbering: Option<Uuid>) -> Result<CookieSealer, ServerError> {
        let server = numbering
            .map_or(self.server_id, |mirror| Uuid::new_v5(&self.server_id, mirror.as_bytes()));
        CookieSealer::new(&self.cookie_key, server).ok_or(ServerError::Random)
    }
}

/// The mirror that numbers the revisions, once known.
fn numbering(data: &DataDir) -> Result<Option<Uuid>, CatalogError> {
    if let Side::Connected { mirror_id } = data.side() {
        return Ok(Some(*mirror_id));
    }
    Catalog::open_read_only(&data.catalog())?.mirror_id()
}

/// What GetConfig answers. Its `LastChange` is kept for each content by its digest: it moves when
/// the content changes, and never on a start, an import or an approval.
fn config(fleet: &mut Fleet) -> Result<Config, ServerError> {
    let properties = vec![
        ("MaxExtendedUpdatesPerRequest", MAX_EXTENDED_UPDATES.to_string()),
        ("PackageServerShare", r"\\localhost\UpdateServicesPackages".to_owned()),
        ("ProtocolVersion", "3.2".to_owned()),
        ("IsInventoryRequired", "0".to_owned()),
        ("ClientReportingLevel", "2".to_owned()),
    ];
    let registration_required = true;
    let digest = Sha256::hash(format!("{registration_required} {properties:?}").as_bytes());
    let digest: String = digest.to_string().chars().take(16).collect();
    let key = format!("last-change-{digest}");
    let now = DateTime(
        Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default(),
    );
    let kept = fleet.value_or_insert(&key, now.to_string().as_bytes())?;
    let kept = String::from_utf8(kept).ok().and_then(|text| text.parse::<DateTime>().ok());
    let last_change = kept.ok_or(ServerError::Value { key })?.0;
    Ok(Config { last_change, registration_required, properties })
}

/// A base for URLs, without a slash at its end.
fn public_url(url: &str) -> Result<String, ServerError> {
    let base = url.trim_end_matches('/');
    let rest = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
    match rest {
        Some(rest) if !rest.is_empty() && rest.bytes().all(fit) => Ok(base.to_owned()),
        _ => Err(ServerError::PublicUrl { url: url.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ProtocolVersion;

    fn app() -> (tempfile::TempDir, ServerState) {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(folder.path(), side).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], 8530));
        let addresses = Addresses { plain: Some(local), tls: None };
        let app = ServerState::open(data, ServeOptions::new(local), addresses).unwrap();
        (folder, app)
    }

    #[test]
    fn a_public_url_is_a_base() {
        assert_eq!(public_url("http://u.example:8530/").unwrap(), "http://u.example:8530");
        assert_eq!(public_url("https://u.example/wsus").unwrap(), "https://u.example/wsus");
        for bad in ["", "http://", "u.example", "ftp://u", "http://a b", "http://a?b"] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cookie_holds_for_an_hour() {
        let (_folder, app) = app();
        let now = Timestamp::now();
        let cookie = Cookie {
            client: "pc-1".to_owned(),
            expires: app.cookie_end(now),
            version: ProtocolVersion { major: 2, minor: 90 },
            last_change: app.config().last_change,
            anchor: 3,
        };
        let token = app.serving().cookies.seal_cookie(&cookie).unwrap().data;
        let at = |minutes| {
            app.visit(Some(&token), now + SignedDuration::from_mins(minutes))
                .map(|visit| visit.cookie.anchor)
                .map_err(|failure| failure.fault().unwrap().code)
        };
        assert_eq!(at(0), Ok(3));
        assert_eq!(at(59), Ok(3));
        assert_eq!(at(61), Err(ErrorCode::CookieExpired));
        let none =
            app.visit(None, now).map(|_| ()).map_err(|failure| failure.fault().unwrap().code);
        assert_eq!(none, Err(ErrorCode::InvalidCookie));
    }

    #[test]
    fn a_busy_computer_is_noted_once_a_minute() {
        let (_folder, app) = app();
        let now = Timestamp::now();
        app.fleet().introduce("pc-1", "pc-1", None, now).unwrap();
        let seen = || app.fleet().computers().unwrap()[0].last_sync;
        for second in [1, 2, 59] {
            app.note("pc-1", Contact::Synced, now + SignedDuration::from_secs(second)).unwrap();
        }
        let first = seen().unwrap();
        assert!(first < now + SignedDuration::from_secs(2));
        app.note("pc-1", Contact::Synced, now + SignedDuration::from_secs(62)).unwrap();
        assert!(seen().unwrap() > first);
    }
}
