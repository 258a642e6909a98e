-- Buying credits: addresses, price promises, what arrived, our own blocks on their way to the treasury.

alter table transfers drop constraint transfers_verb_check;
alter table transfers add constraint transfers_verb_check
    check (verb in ('trial', 'grant', 'hold', 'capture', 'release', 'buy', 'bonus'));

create table deposit_seeds (
    print text primary key check (print ~ '^[0-9a-f]{16}$'),
    next_index bigint not null default 1 check (next_index between 1 and 4294967296)
);
comment on table deposit_seeds is 'Fingerprint of a seed and its first index that nobody has';

create table deposit_addresses (
    address text primary key check (length(address) between 1 and 128),
    user_id uuid not null references users(id),
    method text not null,
    print text not null references deposit_seeds(print),
    index bigint not null check (index between 1 and 4294967295),
    hot_until timestamptz not null default '-infinity',
    created_at timestamptz not null default clock_timestamp(),
    unique (print, index),
    unique (user_id, method, print)
);
create index deposit_addresses_hot on deposit_addresses(method, hot_until);
comment on table deposit_addresses is 'One address per account and seed, for ever; hot ones are looked at more often';

create table orders (
    id uuid primary key,
    user_id uuid not null references users(id),
    method text not null,
    address text not null,
    raw numeric(39,0) not null check (raw > 0),
    credits bigint not null check (credits > 0),
    bonus bigint not null default 0 check (bonus >= 0),
    per_credit numeric(39,0) not null check (per_credit > 0),
    received numeric(39,0) not null default 0 check (received >= 0),
    bonus_given bigint not null default 0 check (bonus_given >= 0),
    state text not null default 'open' check (state in ('open', 'seen', 'part', 'paid', 'over')),
    unique_amount boolean not null default false,
    lang text not null,
    network text not null,
    addr text not null,
    card_ref text not null default '',
    edit_at timestamptz not null default 'infinity',
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
) with (fillfactor = 70);
create unique index orders_amount on orders(method, address, raw) where unique_amount;
create index orders_user on orders(user_id, created_at desc);
create index orders_edit on orders(edit_at) where edit_at <> 'infinity';
comment on table orders is 'A price promise until it expires, never a rule about which money counts; addr is sealed';

create table deposits (
    method text not null,
    ref text not null check (length(ref) between 1 and 128),
    address text not null,
    user_id uuid references users(id),
    order_id uuid references orders(id),
    raw numeric(39,0) not null check (raw > 0),
    state text not null check (state in ('credited', 'unmatched')),
    per_credit numeric(39,0) not null check (per_credit > 0),
    rest_before numeric(39,0) not null default 0 check (rest_before >= 0),
    credits bigint not null default 0 check (credits >= 0),
    bonus bigint not null default 0 check (bonus >= 0),
    rest_after numeric(39,0) not null default 0 check (rest_after >= 0 and rest_after < per_credit),
    collected boolean not null default false,
    at timestamptz not null default clock_timestamp(),
    primary key (method, ref),
    check ((state = 'credited') = (user_id is not null)),
    check (state <> 'credited' or rest_before + raw = credits * per_credit + rest_after),
    check (state = 'credited' or (credits = 0 and bonus = 0 and rest_before = 0 and rest_after = 0)),
    check (bonus = 0 or order_id is not null)
);
create index deposits_user on deposits(user_id, at desc);
create index deposits_order on deposits(order_id) where order_id is not null;
create index deposits_open on deposits(address) where not collected;
comment on table deposits is 'Every payment that arrived, once per block: what it bought and what it left over';

create table rests (
    user_id uuid not null references users(id),
    method text not null,
    raw numeric(39,0) not null check (raw >= 0),
    primary key (user_id, method)
);
comment on table rests is 'What of somebody''s payments is less than one credit; counts next time';

create table awaiting (
    user_id uuid primary key references users(id),
    job_id uuid not null references jobs(id),
    since timestamptz not null default clock_timestamp()
);
comment on table awaiting is 'The quoted video of an account that starts by itself once credits suffice';

create table blocks (
    hash text primary key check (hash ~ '^[0-9A-F]{64}$'),
    address text not null,
    previous text not null check (previous ~ '^[0-9A-F]{64}$'),
    kind text not null check (kind in ('open', 'receive', 'send')),
    link text not null check (link ~ '^[0-9A-F]{64}$'),
    raw numeric(39,0) not null check (raw > 0),
    balance numeric(39,0) not null check (balance >= 0),
    representative text not null,
    signature text not null check (signature ~ '^[0-9A-F]{128}$'),
    work text not null default '',
    state text not null default 'stored' check (state in ('stored', 'published', 'confirmed', 'refused')),
    tries int not null default 0,
    next_at timestamptz not null default clock_timestamp(),
    why text not null default '',
    created_at timestamptz not null default clock_timestamp(),
    unique (address, previous)
);
create index blocks_open on blocks(next_at) where state in ('stored', 'published');
comment on table blocks is 'Blocks that we signed: stored before they are published, one per predecessor, so that we can never fork ourselves';

create table claims (
    method text not null,
    ref text not null check (length(ref) between 1 and 128),
    user_id uuid not null references users(id),
    state text not null default 'asked' check (state in ('asked', 'done', 'refused')),
    lang text not null,
    network text not null,
    addr text not null,
    tries int not null default 0,
    next_at timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp(),
    primary key (method, ref, user_id)
);
create index claims_open on claims(next_at) where state = 'asked';
comment on table claims is 'Somebody says that this payment is theirs; addr is sealed';

alter table outbox add column order_id uuid references orders(id);
alter table outbox drop constraint outbox_check1;
alter table outbox add constraint outbox_card_check
    check (not (sets_card or edits_card) or job_id is not null or order_id is not null);
