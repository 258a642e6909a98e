-- Duties that one process at a time has.

create table leases (
    name text primary key check (length(name) between 1 and 100),
    holder text not null check (length(holder) between 1 and 128),
    until timestamptz not null
) with (fillfactor = 50);
comment on table leases is 'Who polls or watches now, until when by the clock of this database';
