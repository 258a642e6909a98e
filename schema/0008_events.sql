-- What came in and waits to be dealt with.

create table events (
    id bigint generated always as identity primary key,
    network text not null,
    lane bytea not null check (length(lane) = 32),
    body text not null,
    tries int not null default 0,
    not_before timestamptz not null default clock_timestamp()
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index events_network on events(network, id);
create index events_lane on events(lane, id);
comment on table events is 'Events that wait, sealed, in order per lane (chat); deleted with the transaction that deals with them';
