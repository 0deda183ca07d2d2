//! E-mail over TLS: what is trusted gets the mail, encrypted; what is not gets nothing.
//!
//! Trust comes from the system's roots, which a process reads once. So each test runs itself again in a process of its
//! own whose roots are the test's.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails, also in its helpers")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod talk;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use connectors::email::Email;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sdk::Result;
use sdk::http::Settings;
use serde_json::{Value, json};
use talk::Talk;

/// The address of the server that the inner process is to use.
const SERVER: &str = "EMAIL_TLS_SERVER";

#[tokio::test]
async fn starttls_with_a_trusted_certificate_carries_the_mail() {
    if let Some(answer) = inner("starttls").await {
        assert!(answer.unwrap()["reply"].as_str().unwrap().starts_with("250"));
        return;
    }
    let heard =
        outer("starttls_with_a_trusted_certificate_carries_the_mail", Server { implicit: false, trusted: true });
    assert!(heard.plain.contains("STARTTLS") && !heard.plain.contains("AUTH"), "{}", heard.plain);
    assert!(heard.encrypted.contains("AUTH PLAIN") && heard.encrypted.contains("Subject: Hi"), "{}", heard.encrypted);
}

#[tokio::test]
async fn implicit_tls_with_a_trusted_certificate_carries_the_mail() {
    if let Some(answer) = inner("tls").await {
        assert!(answer.unwrap()["reply"].as_str().unwrap().starts_with("250"));
        return;
    }
    let heard =
        outer("implicit_tls_with_a_trusted_certificate_carries_the_mail", Server { implicit: true, trusted: true });
    assert!(heard.plain.is_empty() && heard.encrypted.contains("Subject: Hi"), "{}", heard.encrypted);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_password() {
    if let Some(answer) = inner("starttls").await {
        let error = answer.unwrap_err();
        assert!(error.message.contains("certificate that is not trusted") && !error.outcome_unknown, "{error}");
        return;
    }
    let heard =
        outer("a_certificate_that_nobody_vouches_for_gets_no_password", Server { implicit: false, trusted: false });
    assert!(heard.plain.contains("STARTTLS") && heard.encrypted.is_empty(), "{} {}", heard.plain, heard.encrypted);
}

struct Server {
    implicit: bool,
    trusted: bool,
}

#[derive(Default)]
struct Heard {
    plain: String,
    encrypted: String,
}

/// In the inner process: sends a mail to the outer's server.
async fn inner(security: &str) -> Option<Result<Value>> {
    #[expect(clippy::disallowed_methods, reason = "how the outer process tells the inner one where to go")]
    let port: u16 = std::env::var(SERVER).ok()?.parse().unwrap();
    let config = json!({"host": "localhost", "port": port, "security": security});
    let credentials = [("username", "sales@medtainer.example"), ("password", "x")];
    let talk = Talk::with::<Email>(config, &credentials, Settings { attempts: 1, ..Settings::default() });
    Some(talk.run("send", json!({"to": ["ada@example.com"], "subject": "Hi", "text": "Hello"})).await)
}

/// Serves one client, which is this test in a process of its own.
fn outer(test: &str, server: Server) -> Heard {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let roots = if server.trusted { file("ca.pem") } else { file("cert.pem") };
    let implicit = server.implicit;
    let serving = std::thread::spawn(move || serve(&listener, implicit));
    let mut client = std::process::Command::new(std::env::current_exe().unwrap());
    client
        .args(["--exact", test, "--nocapture"])
        .env(SERVER, port)
        .env("SSL_CERT_FILE", roots)
        .env_remove("SSL_CERT_DIR");
    let client = client.output().unwrap();
    assert!(
        client.status.success(),
        "{}{}",
        String::from_utf8_lossy(&client.stdout),
        String::from_utf8_lossy(&client.stderr)
    );
    serving.join().unwrap()
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/talk/tls").join(name)
}

fn serve(listener: &TcpListener, implicit: bool) -> Heard {
    let (stream, _) = listener.accept().unwrap();
    let mut heard = Heard::default();
    if !implicit {
        let mut plain = BufReader::new(stream.try_clone().unwrap());
        converse(&mut plain, &stream, &mut heard.plain);
    }
    let chain = vec![CertificateDer::from_pem_file(file("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut tls = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
    encrypted(&mut tls, implicit, &mut heard.encrypted);
    heard
}

/// What is said in clear text: until STARTTLS was answered.
fn converse(input: &mut impl BufRead, mut output: &TcpStream, heard: &mut String) {
    output.write_all(b"220 hi\r\n").unwrap();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or_default() == 0 {
            return;
        }
        heard.push_str(&line);
        let reply: &[u8] = if line.starts_with("STARTTLS") { b"220 go\r\n" } else { b"250-hi\r\n250 STARTTLS\r\n" };
        output.write_all(reply).unwrap();
        if line.starts_with("STARTTLS") {
            return;
        }
    }
}

/// The rest, one byte after the other, so that nothing is read beyond a line.
fn encrypted(tls: &mut StreamOwned<ServerConnection, TcpStream>, greet: bool, heard: &mut String) {
    if greet && tls.write_all(b"220 hi\r\n").is_err() {
        return;
    }
    let mut content = false;
    while let Some(line) = line(tls) {
        heard.push_str(&line);
        let reply = match line.as_str() {
            ".\r\n" => "250 2.0.0 Ok\r\n",
            _ if content => continue,
            _ if line.starts_with("EHLO") => "250-hi\r\n250 AUTH PLAIN\r\n",
            _ if line.starts_with("AUTH") => "235 ok\r\n",
            _ if line.starts_with("DATA") => "354 go\r\n",
            _ if line.starts_with("QUIT") => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        content = reply.starts_with("354");
        if tls.write_all(reply.as_bytes()).and_then(|()| tls.flush()).is_err() {
            return;
        }
    }
}

fn line(tls: &mut StreamOwned<ServerConnection, TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        if tls.read(&mut byte).ok()? == 0 {
            return None;
        }
        line.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}
