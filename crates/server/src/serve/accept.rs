//! Taking connections: so many at once, and none for longer than it has something to say.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;

/// Connections at once; who comes then waits in the system's queue.
const MOST: usize = 4_096;
/// After a connection could not be taken, because the process has too many files open.
const BREATH: Duration = Duration::from_millis(50);
/// The headers of one request, in bytes.
const HEADERS: u32 = 64 << 10;

/// Serves until the shutdown begins, then lets what is under way come to its end. Who takes longer than `patience` to
/// send a head, or the next piece of a body, is not waited for.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let (builder, graceful) = (builder(patience), GracefulShutdown::new());
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let next = tokio::select! {
            next = take(&listener, &places) => next,
            () = shutdown.cancelled() => break,
        };
        let Some((stream, peer, place)) = next else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let body = |body| Body::new(TimeoutBody::new(patience, body));
            tower::ServiceExt::oneshot(router.clone(), request.map(body))
        });
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // A connection that breaks is the client's affair.
            drop(connection.await);
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

async fn take(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    let (stream, peer) = listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some((stream, peer, place))
}

fn builder(patience: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(patience)
        .keep_alive_timeout(patience)
        .max_header_list_size(HEADERS);
    builder
}
