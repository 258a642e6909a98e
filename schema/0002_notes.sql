-- Small texts that adapters keep beyond a restart: sessions, short-lived tokens, hashes.

create table notes (
    name bytea primary key check (length(name) = 32),
    value text not null check (octet_length(value) <= 4096),
    until timestamptz not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index notes_until on notes(until);
comment on table notes is 'Sealed texts of adapters, by keyed hash of their name, until they are of no use';
