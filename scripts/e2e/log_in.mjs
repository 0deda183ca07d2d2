// AI clients that others wrote are let in by a person with a browser: OAuth from the first refusal to a call.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OldHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { check, given, run } from "./check.mjs";

const server = given("E2E_LOGIN_URL");
const person = { email: "owner@shop.example", password: "correct horse battery" };
const me = { name: "e2e", version: "1.0.0" };

/** A person with a browser that runs no scripts: goes where a client leads, signs in, allows, and is led back. */
async function letIn(url, { write = true } = {}) {
  let cookie = "";
  const go = async (to, fields) => {
    const body = fields && new URLSearchParams(fields);
    const answer = await fetch(new URL(to, server), {
      method: fields ? "POST" : "GET", body, redirect: "manual", headers: { cookie, ...(fields && { origin: server }) },
    });
    for (const line of answer.headers.getSetCookie()) cookie = line.split(";")[0];
    return answer;
  };
  let answer = await go(url);
  for (let step = 0; step < 8; step++) {
    const location = answer.headers.get("location");
    if (location && new URL(location, server).origin !== server) return new URL(location);
    if (location) { answer = await go(location); continue; }
    const page = await answer.text();
    const refresh = page.match(/http-equiv="refresh" content="0; url=([^"]*)"/);
    if (refresh) answer = await go(plain(refresh[1]));
    else if (page.includes('name="password"')) answer = await go("/sign-in", { next: field(page, "next"), ...person });
    else if (page.includes('name="decision"')) {
      const decided = { request: field(page, "request"), csrf: field(page, "csrf"), decision: "allow" };
      answer = await go("/authorize", { ...decided, ...(write && { write: "yes" }) });
    } else throw new Error(`${answer.status} ${page}`);
  }
  throw new Error("the pages lead nowhere");
}

const plain = (text) => text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
const field = (page, name) => plain(page.match(new RegExp(`name="${name}" value="([^"]*)"`))[1]);

/** What an SDK wants to know of its program; the person lets it in as soon as it asks. */
class Provider {
  constructor(write) { this.write = write; }
  redirectUrl = "http://localhost:8765/callback";
  clientMetadata = { client_name: "E2E", redirect_uris: [this.redirectUrl], token_endpoint_auth_method: "none" };
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  codeVerifier() { return this.verifier; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  saveDiscoveryState(state) { this.discovered = state; }
  discoveryState() { return this.discovered; }
  async redirectToAuthorization(url) { this.back = await letIn(url.href, { write: this.write }); }
}

const read = { name: "gohighlevel_read_contacts", arguments: { limit: 1 } };
const write = { name: "gohighlevel_create_contact", arguments: { first_name: "Let", email: "let@in.example" } };

async function logIn(Transport, NewClient, provider, answer) {
  const open = () => new Transport(new URL(`${server}/mcp`), { authProvider: provider });
  const refused = open();
  await assert.rejects(new NewClient(me).connect(refused));
  await refused.finishAuth(answer(provider.back));
  const [client, transport] = [new NewClient(me), open()];
  await client.connect(transport);
  const contacts = await client.callTool(read);
  assert.equal(contacts.structuredContent.contacts.length, 1);
  return { client, transport };
}

await check("log-in: TypeScript SDK 2, and a step up to writing", async () => {
  const provider = new Provider(false);
  const { client, transport } = await logIn(StreamableHTTPClientTransport, Client, provider, (back) => back.searchParams);
  assert.equal(provider.kept.scope, "mcp:read");
  provider.write = true;
  await assert.rejects(client.callTool(write));
  await transport.finishAuth(provider.back.searchParams);
  const asked = await client.callTool(write);
  assert.ok(asked.structuredContent.pending_approval, JSON.stringify(asked));
  await client.close();
});
await check("log-in: TypeScript SDK 1", async () => {
  const { client } = await logIn(OldHttp, OldClient, new Provider(true), (back) => back.searchParams.get("code"));
  await client.close();
});

/** Starts a program, and lets it in as soon as it shows the address; `until` says when it is done. */
function program(command, args, env, until) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env });
    let [text, went] = ["", false];
    const timer = setTimeout(() => { child.kill(); reject(new Error(`it hangs: ${text.slice(-300)}`)); }, 60_000);
    const done = (value) => { clearTimeout(timer); child.kill(); resolve(value); };
    const hear = async (bytes) => {
      text += bytes;
      const shown = text.replaceAll(/\x1b\[[0-9;?]*[a-zA-Z]/g, "").match(/http:\/\/127\.0\.0\.1:\d+\/authorize\?[^\s\x1b\x07]+/);
      if (shown && !went) {
        went = true;
        // The program opens its own listener about now.
        for (let i = 0; i < 50; i++) {
          const back = await letIn(shown[0]).catch((error) => { reject(error); return null; });
          if (!back || (await fetch(back).then(() => true, () => false))) break;
          await new Promise((wait) => setTimeout(wait, 200));
        }
      }
      if (until(text)) done(text);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("close", (status) => (status === 0 ? done(text) : reject(new Error(`${status}: ${text.slice(-300)}`))));
    child.stdin.on("error", () => {});
    if (args.some((arg) => arg.includes("mcp-remote"))) speak(child.stdin);
  });
}

function speak(input) {
  const send = (message) => input.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  send({ id: 1, method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: me } });
  send({ method: "notifications/initialized" });
  send({ id: 2, method: "tools/call", params: read });
}

const packages = fileURLToPath(new URL("node_modules", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "e2e-home-"));
const clean = { PATH: process.env.PATH, HOME: home, BROWSER: "/bin/true", TERM: "xterm" };

await check("log-in: mcp-remote, which registers", async () => {
  const proxy = join(packages, "mcp-remote/dist/proxy.js");
  const env = { ...clean, PATH: "/nowhere", MCP_REMOTE_CONFIG_DIR: home };
  await program(process.execPath, [proxy, `${server}/mcp`, "--transport", "http-only"], env, (text) => /"contacts/.test(text));
});

await check("log-in: MCP's conformance suite for authorization servers", async () => {
  const callback = 8766;
  const metadata = { client_name: "conformance", redirect_uris: [`http://127.0.0.1:${callback}/callback`], token_endpoint_auth_method: "none" };
  const headers = { "content-type": "application/json" };
  const registered = await fetch(`${server}/register`, { method: "POST", headers, body: JSON.stringify(metadata) });
  const { client_id } = await registered.json();
  const suite = join(packages, "@modelcontextprotocol/conformance/dist/index.js");
  const options = ["--url", server, "--client-id", client_id, "--resource", `${server}/mcp`, "-p", String(callback), "-o", join(home, "conformance")];
  const said = await program(process.execPath, [suite, "authorization", ...options], clean, () => false);
  assert.match(said, /Total: \d+ passed, 0 failed/);
});

// Some 360 MB, so it is used where it is: E2E_CLAUDE=…/claude (npm i @anthropic-ai/claude-code).
const claude = process.env.E2E_CLAUDE;
if (claude && existsSync(claude)) {
  await check("log-in: Claude Code", async () => {
    await run(claude, ["mcp", "add", "--transport", "http", "shop", `${server}/mcp`], { env: clean });
    const terminal = ["-qfec", `${claude} mcp login shop`, "/dev/null"];
    await program("script", terminal, { ...clean, COLUMNS: "2000" }, (text) => text.includes("Authenticated with"));
    const listed = await run(claude, ["mcp", "list"], { env: clean });
    assert.match(listed.out, /Connected/);
  });
} else {
  console.log("skipped: Claude Code's log-in (E2E_CLAUDE names no program)");
}
