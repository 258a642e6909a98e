-- Paid credits that go back to whoever bought them.

alter table transfers drop constraint transfers_verb_check;
alter table transfers add constraint transfers_verb_check
    check (verb in ('trial', 'grant', 'hold', 'capture', 'release', 'buy', 'bonus', 'refund',
                    'unrefund'));

create table refunds (
    id uuid primary key,
    user_id uuid not null references users(id),
    method text not null,
    address text not null check (length(address) <= 128),
    credits bigint not null check (credits >= 0),
    bonus bigint not null default 0 check (bonus between 0 and credits),
    rest numeric(39,0) not null check (rest >= 0),
    raw numeric(39,0) not null check (raw > 0 and raw >= rest),
    state text not null default 'asked'
        check (state in ('asked', 'waiting', 'sent', 'done', 'refused', 'cancelled')),
    block text unique references blocks(hash),
    told text not null default '',
    lang text not null,
    network text not null,
    addr text not null,
    created_at timestamptz not null default clock_timestamp(),
    agreed_at timestamptz,
    check ((block is not null) = (state in ('sent', 'done', 'refused'))),
    check ((agreed_at is not null) = (state in ('waiting', 'sent', 'done', 'refused')))
) with (fillfactor = 70);
create unique index refunds_open on refunds(user_id) where state in ('asked', 'waiting', 'sent');
create index refunds_work on refunds(agreed_at) where state in ('waiting', 'sent');
create index refunds_day on refunds(agreed_at) where state in ('waiting', 'sent', 'done');
create index refunds_user on refunds(user_id);
comment on table refunds is 'One open one per account; waiting: the credits are gone from the wallet, the block is not signed yet; addr is sealed';
comment on column refunds.bonus is 'Of the credits: bonus of the payments, which ends with a refund and is not paid out';
comment on column refunds.told is 'The state that the person was told, or short: waits for money';
