//! A running server: the listener, and the orderly end.

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
    accepting: JoinHandle<std::io::Result<()>>,
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
        let listener = TcpListener::bind(wanted).await.map_err(|e| cannot_listen(wanted, e))?;
        let address = listener.local_addr().map_err(|e| cannot_listen(wanted, e))?;
        keys::seed(&app).await?;
        app.start().await?;
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let shutdown = app.shutdown.clone();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move { shutdown.cancelled().await });
        Ok(Server { app, address, accepting: tokio::spawn(async move { serving.await }) })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Accepts nothing more, finishes running calls, then the audit.
    pub async fn stop(mut self) {
        self.app.stop().await;
        // The last answers still have to leave; connections that a client keeps open without a
        // request do not hold up the end.
        if tokio::time::timeout(LAST_ANSWERS, &mut self.accepting).await.is_err() {
            self.accepting.abort();
        }
    }
}

fn cannot_listen(address: SocketAddr, error: std::io::Error) -> Error {
    let cure = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program uses the port; stop it or set PORT",
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need more rights; set PORT",
        _ => "set BIND and PORT",
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
