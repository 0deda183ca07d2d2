//! A running server: the listener, and the orderly end.

mod accept;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sdk::{Error, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::api;
use crate::app::App;
use crate::identity::keys;

/// How long the last answers may take to leave.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A server that accepts requests.
pub struct Server {
    pub app: Arc<App>,
    pub address: SocketAddr,
    /// Where keys alone are taken, if anywhere.
    pub key_address: Option<SocketAddr>,
    accepting: Vec<JoinHandle<std::io::Result<()>>>,
}

impl Server {
    /// Starts the app's own work and listens where the configuration says.
    pub async fn start(app: Arc<App>) -> Result<Server> {
        let router = api::router(&app);
        Server::start_with(app, router).await
    }

    /// The same with other routes.
    pub(crate) async fn start_with(app: Arc<App>, router: axum::Router) -> Result<Server> {
        let wanted = SocketAddr::new(app.config.server.bind, app.config.server.port);
        let (listener, address) = listen(wanted, ["PORT", "BIND and PORT"]).await?;
        let for_keys = match app.config.server.key_listen {
            Some(wanted) => Some(listen(wanted, ["KEY_LISTEN"; 2]).await?),
            None => None,
        };
        keys::seed(&app).await?;
        app.start().await?;
        let key_address = for_keys.as_ref().map(|(_, address)| *address);
        let mut accepting = vec![accept(&app, listener, router)];
        accepting.extend(for_keys.map(|(listener, _)| accept(&app, listener, api::key_only_router(&app))));
        Ok(Server { app, address, key_address, accepting })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Accepts nothing more, finishes running calls, then the audit.
    pub async fn stop(mut self) {
        self.app.stop().await;
        // The last answers still have to leave; connections that a client keeps open without a
        // request do not hold up the end.
        let all = futures::future::join_all(&mut self.accepting);
        if tokio::time::timeout(LAST_ANSWERS, all).await.is_err() {
            self.accepting.iter().for_each(JoinHandle::abort);
        }
    }
}

/// The settings are those that move the port, and those that move it elsewhere altogether.
async fn listen(wanted: SocketAddr, settings: [&str; 2]) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(wanted).await.map_err(|e| cannot_listen(wanted, settings, e))?;
    let address = listener.local_addr().map_err(|e| cannot_listen(wanted, settings, e))?;
    Ok((listener, address))
}

fn accept(app: &App, listener: TcpListener, router: axum::Router) -> JoinHandle<std::io::Result<()>> {
    let patience = Duration::from_secs(app.config.server.read_timeout_seconds);
    tokio::spawn(accept::serve(listener, router, patience, app.shutdown.clone()))
}

fn cannot_listen(address: SocketAddr, settings: [&str; 2], error: std::io::Error) -> Error {
    let cure = match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("another program uses the port; stop it or set {}", settings[0]),
        std::io::ErrorKind::PermissionDenied => format!("ports below 1024 need more rights; set {}", settings[0]),
        _ => format!("set {}", settings[1]),
    };
    Error::unavailable(format!("cannot listen on {address}: {cure}")).with_source(error)
}

/// Resolves when the process is asked to end (Ctrl-C or SIGTERM).
pub async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! { _ = interrupt => {}, () = terminate => {} }
}
