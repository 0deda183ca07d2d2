-- Nothing was ever written into the tables without columns.
DROP TABLE invoices;
CREATE TABLE invoices (
    {as_it_came},
    number TEXT,
    customer_id TEXT,
    customer_name TEXT,
    customer_email TEXT,
    issued {date},
    due {date},
    total {float} NOT NULL,
    balance {float} NOT NULL,
    currency TEXT,
    status TEXT NOT NULL,
    {as_it_was_seen}
);
CREATE INDEX invoices_customer ON invoices (tenant_id, ecosystem, customer_id) WHERE deleted_at IS NULL;
CREATE INDEX invoices_email ON invoices (tenant_id, customer_email) WHERE deleted_at IS NULL;
DROP TABLE payments;
CREATE TABLE payments (
    {as_it_came},
    customer_id TEXT,
    customer_name TEXT,
    paid_on {date},
    amount {float} NOT NULL,
    currency TEXT,
    method TEXT,
    invoices {json} NOT NULL,
    {as_it_was_seen}
);
CREATE INDEX payments_customer ON payments (tenant_id, ecosystem, customer_id) WHERE deleted_at IS NULL;
DROP TABLE orders;
CREATE TABLE orders (
    {as_it_came},
    buyer_name TEXT,
    buyer_email TEXT,
    placed_at {ts},
    status TEXT NOT NULL,
    total {float},
    currency TEXT,
    items BIGINT NOT NULL,
    fulfilled_by TEXT,
    ship_by {ts},
    {as_it_was_seen}
);
CREATE INDEX orders_placed ON orders (tenant_id, placed_at {desc}, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX orders_email ON orders (tenant_id, buyer_email) WHERE deleted_at IS NULL;
DROP TABLE inventory;
CREATE TABLE inventory (
    {as_it_came},
    sku TEXT NOT NULL,
    name TEXT,
    available BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    inbound BIGINT NOT NULL,
    {as_it_was_seen}
);
DROP TABLE documents;
CREATE TABLE documents (
    {as_it_came},
    name TEXT NOT NULL,
    mime_type TEXT,
    owner_email TEXT,
    modified_at {ts},
    link TEXT,
    size BIGINT,
    {as_it_was_seen}
);
CREATE INDEX documents_modified ON documents (tenant_id, modified_at {desc}, id DESC) WHERE deleted_at IS NULL;
DROP TABLE domains;
CREATE TABLE domains (
    {as_it_came},
    name TEXT NOT NULL,
    status TEXT,
    registered_until {ts},
    auto_renew BOOLEAN,
    name_servers {json} NOT NULL,
    {as_it_was_seen}
);
DROP TABLE dns_records;
CREATE TABLE dns_records (
    {as_it_came},
    domain TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    ttl BIGINT,
    priority BIGINT,
    {as_it_was_seen}
);
CREATE INDEX dns_records_domain ON dns_records (tenant_id, domain) WHERE deleted_at IS NULL;
CREATE TABLE customers (
    id           {id},
    tenant_id    TEXT NOT NULL,
    ecosystem    TEXT NOT NULL,
    vendor_id    TEXT NOT NULL,
    data         {json} NOT NULL,
    name         TEXT,
    company      TEXT,
    email        TEXT,
    phone        TEXT,
    phone_digits TEXT,
    data_hash    {bytes} NOT NULL,
    last_synced  {ts} NOT NULL,
    expires_at   {ts},
    deleted_at   {ts},
    seen_run     {uuid},
    UNIQUE (tenant_id, ecosystem, vendor_id)
);
CREATE INDEX customers_email ON customers (tenant_id, email) WHERE deleted_at IS NULL;
CREATE INDEX customers_phone ON customers (tenant_id, phone_digits) WHERE deleted_at IS NULL;
CREATE INDEX customers_name ON customers (tenant_id, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX contacts_email ON contacts (tenant_id, lower(email)) WHERE deleted_at IS NULL;
