-- The same call of the same requester waits for a person once, whichever replica was asked. What was asked twice before
-- this index was there is withdrawn, but for the first.
UPDATE approvals SET state = 'cancelled', note = 'The same call was asked for twice; the first question stands.'
WHERE state = 'pending' AND EXISTS (
    SELECT 1 FROM approvals AS earlier
    WHERE earlier.state = 'pending'
      AND earlier.tenant_id = approvals.tenant_id
      AND earlier.tool_name = approvals.tool_name
      AND earlier.tool_version = approvals.tool_version
      AND earlier.arguments_hash = approvals.arguments_hash
      AND (earlier.requester ->> 'id') = (approvals.requester ->> 'id')
      AND (earlier.created_at, earlier.id) < (approvals.created_at, approvals.id)
);
CREATE UNIQUE INDEX approvals_once ON approvals
    (tenant_id, tool_name, tool_version, arguments_hash, (requester ->> 'id')) WHERE state = 'pending';
