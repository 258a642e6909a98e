-- Accounts, ledger, jobs and chat effects. Forward only: later changes are new files.

create table users (
    id uuid primary key,
    kind text not null check (kind in ('person', 'group')),
    lang text not null default '' check (length(lang) < 16),
    created_at timestamptz not null default now(),
    forgotten_at timestamptz
);
comment on table users is 'Who somebody is to us: a random id and nothing else';

create table identities (
    mac bytea primary key check (length(mac) = 32),
    user_id uuid not null references users(id),
    key_version smallint not null default 1
);
create index identities_user on identities(user_id);
comment on table identities is 'Keyed hash of network and platform id -> user; raw ids are nowhere';

create table trials (
    mac bytea primary key check (length(mac) = 32)
);
comment on table trials is 'Keyed hash (of another kind) of identities that had their trial; tied to no user, so it may outlive /forget';

create table settings (
    user_id uuid primary key references users(id),
    lang text not null,
    voice text not null,
    aspect text not null,
    tier text not null,
    seconds int not null check (seconds >= 0),
    style text not null,
    music text not null
);
comment on table settings is 'What a new video of this user starts from';

create table wallets (
    user_id uuid primary key references users(id),
    avail bigint not null default 0 check (avail >= 0),
    held bigint not null default 0 check (held >= 0),
    active int not null default 0 check (active >= 0),
    fair_tag timestamptz not null default '-infinity'
) with (fillfactor = 70);
create index wallets_active on wallets(user_id) where active <> 0;
comment on table wallets is 'One row = one lock per user: balance, jobs in work, place in the common queue';

create table jobs (
    id uuid primary key,
    user_id uuid not null references users(id),
    dedupe_key bytea not null check (length(dedupe_key) = 32),
    state text not null check (state in ('quoted', 'waiting', 'ready', 'running', 'delivering',
                                         'done', 'failed', 'cancelled')),
    price bigint not null check (price >= 0),
    charged bigint not null default 0 check (charged between 0 and price),
    estimate_ms bigint not null check (estimate_ms >= 0),
    topic text not null check (octet_length(topic) <= 1048576),
    story text not null check (octet_length(story) <= 4194304),
    lang text not null,
    network text not null,
    addr text not null,
    card_ref text not null default '',
    attempt int not null default 0,
    tries int not null default 0,
    worker text,
    lease_until timestamptz,
    run_at timestamptz not null default now(),
    fair_at timestamptz,
    stage text not null default '',
    percent int not null default 0 check (percent between 0 and 100),
    cancel_at timestamptz,
    fail_key text not null default '',
    fail_arg text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    ended_at timestamptz,
    check ((state in ('done', 'failed', 'cancelled')) = (ended_at is not null)),
    check (state not in ('running', 'delivering') or (worker is not null and lease_until is not null)),
    check (state in ('quoted', 'cancelled') or (started_at is not null and fair_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create unique index jobs_dedupe on jobs(user_id, dedupe_key)
    where state in ('quoted', 'waiting', 'ready', 'running', 'delivering');
create index jobs_ready on jobs(fair_at, id) where state = 'ready';
create index jobs_queue on jobs(fair_at, id) where state in ('waiting', 'ready');
create index jobs_leased on jobs(id) where state in ('running', 'delivering');
create index jobs_live on jobs(user_id) where state in ('waiting', 'ready', 'running', 'delivering');
create index jobs_quoted on jobs(created_at) where state = 'quoted';
create index jobs_user on jobs(user_id, created_at desc);
create index jobs_addr on jobs(ended_at) where ended_at is not null and addr <> '';
comment on table jobs is 'One video from quote to end; state changes only through job_move(); addr is sealed';

create table deliveries (
    job_id uuid primary key references jobs(id),
    state text not null check (state in ('sending', 'delivered')),
    attempt int not null,
    path text not null,
    duration_ms bigint not null,
    bytes bigint not null,
    remote_ref text not null default '',
    at timestamptz not null default clock_timestamp()
);
comment on table deliveries is 'The film of a job on its way into the chat, and that it arrived';

create table videos (
    job_id uuid primary key references jobs(id),
    user_id uuid not null references users(id),
    title text not null,
    path text not null,
    duration_ms bigint not null,
    bytes bigint not null,
    created_at timestamptz not null default clock_timestamp()
);
create index videos_user on videos(user_id, created_at desc);
comment on table videos is 'Finished videos of a user';

create table transfers (
    key text primary key check (length(key) between 1 and 200),
    verb text not null check (verb in ('trial', 'grant', 'hold', 'capture', 'release')),
    user_id uuid not null references users(id),
    job_id uuid references jobs(id),
    amount bigint not null check (amount > 0),
    at timestamptz not null default clock_timestamp(),
    check ((verb in ('hold', 'capture', 'release')) = (job_id is not null))
);
create unique index transfers_resolved on transfers(job_id) where verb in ('capture', 'release');
create unique index transfers_held on transfers(job_id) where verb = 'hold';
create index transfers_user on transfers(user_id, at desc);
comment on table transfers is 'Every movement of credits, once per key; append only';

create table entries (
    id bigint generated always as identity primary key,
    key text not null references transfers(key),
    account text not null check (account in ('avail', 'held', 'promo', 'revenue', 'world')),
    user_id uuid references users(id),
    amount bigint not null check (amount <> 0),
    check ((account in ('avail', 'held')) = (user_id is not null))
);
create index entries_key on entries(key);
create index entries_user on entries(user_id) where user_id is not null;
comment on table entries is 'Two or more lines per transfer, sum 0; append only';

create table holds (
    job_id uuid primary key references jobs(id),
    user_id uuid not null references users(id),
    amount bigint not null check (amount > 0),
    captured bigint not null default 0 check (captured between 0 and amount),
    state text not null check (state in ('open', 'captured', 'released')),
    check ((state = 'captured') = (captured > 0))
);
create index holds_open on holds(user_id) where state = 'open';
comment on table holds is 'Credits reserved for a job; changes exactly once';

create table inbox (
    network text not null,
    event bytea not null check (length(event) = 32),
    received_at timestamptz not null default clock_timestamp(),
    primary key (network, event)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index inbox_age on inbox(received_at);
comment on table inbox is 'Keyed hashes of events that were taken, so that none is taken twice';

create table outbox (
    id bigint generated always as identity primary key,
    network text not null,
    lane bytea not null,
    addr text not null,
    body text not null check (octet_length(body) <= 1048576),
    edit_ref text not null default '',
    job_id uuid references jobs(id),
    sets_card boolean not null default false,
    edits_card boolean not null default false,
    state text not null check (state in ('pending', 'sending', 'sent', 'dead')),
    tries int not null default 0,
    lost int not null default 0,
    not_before timestamptz not null default clock_timestamp(),
    sending_since timestamptz,
    remote_ref text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    check ((state = 'sending') = (sending_since is not null)),
    check (not (sets_card or edits_card) or job_id is not null)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
create index outbox_open on outbox(network, lane, id) where state in ('pending', 'sending');
create index outbox_job on outbox(job_id) where job_id is not null;
create index outbox_ended on outbox(created_at) where state in ('sent', 'dead');
comment on table outbox is 'What must be said, in order per lane (chat); lost counts answers that never came';

create table admin_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    user_id uuid references users(id),
    amount bigint,
    why text not null
);
comment on table admin_log is 'What operators did, and why; append only';

create function refuse_change() returns trigger language plpgsql
set search_path = pg_catalog as $$
begin
    raise exception '% is append only', tg_table_name using errcode = '42501';
end $$;
create trigger transfers_append_only before update or delete or truncate on transfers
    for each statement execute function refuse_change();
create trigger entries_append_only before update or delete or truncate on entries
    for each statement execute function refuse_change();
create trigger admin_log_append_only before update or delete or truncate on admin_log
    for each statement execute function refuse_change();
