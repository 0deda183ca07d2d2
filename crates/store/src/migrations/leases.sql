-- What one process at a time may do, whichever replica it is; a lease that nobody renews ends by itself.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder {uuid} NOT NULL,
    until  {ts} NOT NULL
);
