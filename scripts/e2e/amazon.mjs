// Amazon's own Selling Partner SDK against the sandbox.

import assert from "node:assert/strict";
import { FbainventorySpApi, Orders_v2026SpApi, ReportsSpApi, SellersSpApi } from "@amazon-sp-api-release/amazon-sp-api-sdk-js";
import { check, given } from "./check.mjs";

const { config, credentials } = JSON.parse(given("E2E_SANDBOX")).amazon;
// The SDK knows one authorization server only, so that the token comes from here.
const form = new URLSearchParams({
  grant_type: "refresh_token",
  refresh_token: credentials.refresh_token,
  client_id: credentials.client_id,
  client_secret: credentials.client_secret,
});
const { access_token } = await (await fetch(config.token_url, { method: "POST", body: form })).json();
const open = (api, token = access_token) => new api.ApiClient(config.base_url).applyXAmzAccessTokenToRequest(token);
const marketplaceIds = config.marketplace_ids;
const yearAgo = new Date(Date.now() - 365 * 86_400_000).toISOString();

await check("Amazon's SP-API SDK (npm): marketplaces of the seller", async () => {
  const { payload } = await new SellersSpApi.SellersApi(open(SellersSpApi)).getMarketplaceParticipations();
  assert.ok(payload.some((one) => marketplaceIds.includes(one.marketplace.id)));
});
await check("Amazon's SP-API SDK (npm): orders 2026-01-01 are paged through, each once, and one is read", async () => {
  const client = open(Orders_v2026SpApi);
  const search = new Orders_v2026SpApi.SearchOrdersApi(client);
  const ids = [];
  let paginationToken;
  for (let page = 0; page < 4; page += 1) {
    const asked = { createdAfter: yearAgo, marketplaceIds, maxResultsPerPage: 5, paginationToken };
    const { orders, pagination } = await search.searchOrders(asked);
    ids.push(...orders.map((order) => order.orderId));
    paginationToken = pagination?.nextToken;
    if (!paginationToken) break;
  }
  assert.ok(ids.length > 5 && new Set(ids).size === ids.length);
  const { order } = await new Orders_v2026SpApi.GetOrderApi(client).getOrder(ids[0]);
  assert.equal(order.orderId, ids[0]);
  return `${ids.length} orders`;
});
await check("Amazon's SP-API SDK (npm): inventory and reports", async () => {
  const inventory = new FbainventorySpApi.FbaInventoryApi(open(FbainventorySpApi));
  const asked = await inventory.getInventorySummaries("Marketplace", marketplaceIds[0], marketplaceIds, { details: true });
  assert.ok(asked.payload.inventorySummaries.length > 0);
  const { reports } = await new ReportsSpApi.ReportsApi(open(ReportsSpApi)).getReports({
    reportTypes: ["GET_MERCHANT_LISTINGS_ALL_DATA"],
  });
  assert.ok(Array.isArray(reports));
});
await check("Amazon's SP-API SDK (npm): an order that is not there and a wrong token are refused", async () => {
  const read = (token) => new Orders_v2026SpApi.GetOrderApi(open(Orders_v2026SpApi, token)).getOrder("000-0000000-0000000");
  const status = (asked) => asked.then(() => assert.fail("it was taken"), (error) => error.status);
  assert.equal(await status(read()), 404);
  assert.equal(await status(read("wrong")), 403);
});
