-- Scripts that are written and shown before any credit is held; how a person's scripts are told.

create table drafts (
    job_id uuid primary key references jobs(id),
    user_id uuid not null references users(id),
    state text not null check (state in ('wanted', 'writing', 'ready', 'failed')),
    wish text not null default '' check (octet_length(wish) <= 1024),
    turn int not null default 0 check (turn >= 0),
    tries int not null default 0,
    written int not null default 0 check (written >= 0),
    worker text,
    lease_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    check ((state = 'writing') = (worker is not null)),
    check ((state = 'writing') = (lease_until is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index drafts_open on drafts(created_at) where state in ('wanted', 'writing');
create index drafts_user on drafts(user_id, created_at desc);
comment on table drafts is 'Script of a quoted job, being written or shown; the script itself is the job''s story';

alter table settings add column script text not null default '';
comment on column settings.script is 'How scripts are told: explainer, story, ...; empty: as the writer likes';
