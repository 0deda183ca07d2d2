// Intuit's own OAuth client and node-quickbooks against the sandbox's QuickBooks.

import assert from "node:assert/strict";
import OAuthClient from "intuit-oauth";
import QuickBooks from "node-quickbooks";
import { check, given } from "./check.mjs";

const { config, credentials } = JSON.parse(given("E2E_SANDBOX")).quickbooks;
OAuthClient.tokenEndpoint = config.token_url;
QuickBooks.V3_ENDPOINT_BASE_URL = `${config.base_url}/v3/company/`;

let access = credentials.access_token;
await check("intuit-oauth (npm): a refresh token becomes an access token", async () => {
  const client = new OAuthClient({
    clientId: credentials.client_id,
    clientSecret: credentials.client_secret,
    environment: "sandbox",
    redirectUri: "http://127.0.0.1:1/callback",
  });
  const { token } = await client.refreshUsingToken(credentials.refresh_token);
  assert.ok(token.access_token && token.refresh_token && token.expires_in === 3600);
  access = token.access_token;
});

const books = (token) =>
  new QuickBooks(credentials.client_id, credentials.client_secret, token, false, config.realm_id, true, false, 75, "2.0", null);
// The sandbox takes ten requests a second, as Intuit does, and this client does not wait by itself.
const rest = () => new Promise((resolve) => setTimeout(resolve, 1_100));
const ask = (method, ...args) =>
  new Promise((resolve, reject) => books(access)[method](...args, (error, answer) => (error ? reject(error) : resolve(answer))));

await check("node-quickbooks (npm): invoices are paged through and counted", async () => {
  const { QueryResponse } = await ask("findInvoices", { count: true });
  const ids = new Set();
  for (let offset = 1; ; offset += 500) {
    const page = (await ask("findInvoices", { limit: 500, offset, asc: "Id" })).QueryResponse.Invoice ?? [];
    page.forEach((invoice) => ids.add(invoice.Id));
    if (page.length < 500) break;
  }
  assert.equal(ids.size, QueryResponse.totalCount);
  return `${ids.size} invoices`;
});
await rest();
await check("node-quickbooks (npm): a customer and an invoice are made, changed with their SyncToken, and found as changed", async () => {
  const before = new Date(Date.now() - 60_000);
  const customer = await ask("createCustomer", { DisplayName: "Endto End", PrimaryEmailAddr: { Address: "end@example.com" } });
  const item = (await ask("findItems", { limit: 1, Type: "Service" })).QueryResponse.Item[0];
  const line = { Amount: 12.5, DetailType: "SalesItemLineDetail", SalesItemLineDetail: { ItemRef: { value: item.Id } } };
  const invoice = await ask("createInvoice", { CustomerRef: { value: customer.Id }, Line: [line] });
  assert.equal(invoice.TotalAmt, 12.5);
  const changed = await ask("updateInvoice", { Id: invoice.Id, SyncToken: invoice.SyncToken, sparse: true, PrivateNote: "seen" });
  assert.equal(Number(changed.SyncToken), Number(invoice.SyncToken) + 1);
  const { CDCResponse } = await ask("changeDataCapture", ["Invoice"], before);
  const rows = CDCResponse[0].QueryResponse.flatMap((one) => one.Invoice ?? []);
  assert.ok(rows.some((row) => row.Id === invoice.Id && row.PrivateNote === "seen"));
  assert.equal((await ask("getInvoice", invoice.Id)).PrivateNote, "seen");
});
await rest();
await check("node-quickbooks (npm): reports", async () => {
  assert.equal((await ask("reportProfitAndLoss", {})).Header.ReportName, "ProfitAndLoss");
});
await rest();
await check("node-quickbooks (npm): a stale change and a wrong token are refused in Intuit's words", async () => {
  const customer = (await ask("findCustomers", { limit: 1 })).QueryResponse.Customer[0];
  const stale = { Id: customer.Id, SyncToken: "99", sparse: true, Notes: "x" };
  const error = await ask("updateCustomer", stale).then(() => assert.fail("it was taken"), (error) => error);
  assert.equal((error.Fault ?? error.response?.data?.Fault).Error[0].code, "5010");
  access = "wrong";
  const denied = await ask("getCustomer", customer.Id).then(() => assert.fail("it was taken"), (error) => error);
  const fault = denied.fault ?? denied.Fault ?? denied.response?.data?.fault ?? denied.response?.data?.Fault;
  assert.equal(String((fault.error ?? fault.Error)[0].code), "3200");
});
