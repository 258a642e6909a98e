-- What the tables and columns of each version can hold, filled in as that version did it: for
-- tests/test_db_upgrade.c, which runs the parts up to its version. ANNMAC and KEYMAC are put in there.
-- since 1
create function pg_temp.move(key text, verb text, who uuid, job uuid, n bigint, source text, target text)
returns void language sql as $$
    insert into transfers(key, verb, user_id, job_id, amount) values (key, verb, who, job, n);
    insert into entries(key, account, user_id, amount)
        select key, a, case when a in ('avail', 'held') then who end, m
        from (values (source, -n), (target, n)) as line(a, m);
$$;
create function pg_temp.job(n int) returns uuid language sql as
    $$ select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid $$;
create function pg_temp.ann() returns uuid language sql as
    $$ select '00000000-0000-4000-8000-00000000000a'::uuid $$;
create function pg_temp.crew() returns uuid language sql as
    $$ select '00000000-0000-4000-8000-00000000000b'::uuid $$;
create function pg_temp.gone() returns uuid language sql as
    $$ select '00000000-0000-4000-8000-00000000000c'::uuid $$;
insert into users(id, kind, lang) values
    (pg_temp.ann(), 'person', 'ar'), (pg_temp.crew(), 'group', ''), (pg_temp.gone(), 'group', '');
insert into identities(mac, user_id) values ('\xANNMAC', pg_temp.ann());
insert into trials values ('\xANNMAC');
insert into settings(user_id, lang, voice, aspect, tier, seconds, style, music)
    values (pg_temp.ann(), 'ar', 'v', '9:16', 'hd', 30, 'bold', 'calm');
insert into wallets(user_id, avail, held, active) values
    (pg_temp.ann(), 5, 3, 1), (pg_temp.crew(), 0, 0, 0), (pg_temp.gone(), 0, 0, 0);
insert into jobs(id, user_id, dedupe_key, state, price, charged, estimate_ms, topic, story, lang,
    network, addr, card_ref, fair_at, started_at, ended_at) values
    (pg_temp.job(1), pg_temp.ann(), sha256('1'), 'done', 2, 2, 1000, 'tides', '', 'en', 'test',
        'sealed', 'chat:4', now(), now(), now()),
    (pg_temp.job(2), pg_temp.ann(), sha256('2'), 'ready', 3, 0, 1000, 'cats', '', 'en', 'test',
        'sealed', 'chat:5', now(), now(), null),
    (pg_temp.job(3), pg_temp.ann(), sha256('3'), 'quoted', 1, 0, 1000, 'dogs', '', 'en', 'test',
        'sealed', '', null, null, null),
    (pg_temp.job(4), pg_temp.ann(), sha256('4'), 'failed', 1, 0, 1000, 'owls', '', 'en', 'test',
        '', '', now(), now(), now());
insert into deliveries(job_id, state, attempt, path, duration_ms, bytes, remote_ref)
    values (pg_temp.job(1), 'delivered', 1, '/v/1.mp4', 9000, 1000, 'chat:4');
insert into videos(job_id, user_id, title, path, duration_ms, bytes)
    values (pg_temp.job(1), pg_temp.ann(), 'tides', '/v/1.mp4', 9000, 1000);
select pg_temp.move('grant1', 'grant', pg_temp.ann(), null, 10, 'promo', 'avail');
select pg_temp.move('hold1', 'hold', pg_temp.ann(), pg_temp.job(1), 2, 'avail', 'held');
select pg_temp.move('cap1', 'capture', pg_temp.ann(), pg_temp.job(1), 2, 'held', 'revenue');
select pg_temp.move('hold2', 'hold', pg_temp.ann(), pg_temp.job(2), 3, 'avail', 'held');
select pg_temp.move('hold4', 'hold', pg_temp.ann(), pg_temp.job(4), 1, 'avail', 'held');
select pg_temp.move('rel4', 'release', pg_temp.ann(), pg_temp.job(4), 1, 'held', 'avail');
insert into holds values (pg_temp.job(1), pg_temp.ann(), 2, 2, 'captured'),
    (pg_temp.job(2), pg_temp.ann(), 3, 0, 'open'), (pg_temp.job(4), pg_temp.ann(), 1, 0, 'released');
insert into inbox(network, event) values ('test', sha256('e'));
insert into outbox(network, lane, addr, body, job_id, state, remote_ref) values
    ('test', sha256('l'), '', '', pg_temp.job(1), 'sent', 'chat:4'),
    ('test', sha256('l'), 'sealed', '{}', pg_temp.job(2), 'pending', '');
insert into admin_log(actor, action, why) values ('cli', 'grant', 'because');
-- since 2
insert into notes values (sha256('n'), 'sealed', now() + interval '1 day');
-- since 3
update settings set speed = 110;
-- since 4
insert into leases values ('payments', 'host:1', now());
-- since 5
insert into drafts(job_id, user_id, state, written) values (pg_temp.job(3), pg_temp.ann(), 'ready', 1);
update settings set script = 'story';
-- since 6
insert into deposit_seeds values ('0123456789abcdef', 2);
insert into deposit_addresses(address, user_id, method, print, index)
    values ('nano_1', pg_temp.ann(), 'nano', '0123456789abcdef', 1);
insert into orders(id, user_id, method, address, raw, credits, per_credit, received, state, lang,
    network, addr, card_ref, expires_at) values (pg_temp.job(91), pg_temp.ann(), 'nano', 'nano_1',
    1e30, 100, 1e28, 1e30, 'paid', 'en', 'test', 'sealed', 'chat:6', now());
insert into deposits(method, ref, address, user_id, order_id, raw, state, per_credit, credits, collected)
    values ('nano', repeat('A', 64), 'nano_1', pg_temp.ann(), pg_temp.job(91), 1e30, 'credited', 1e28,
    100, true);
select pg_temp.move('buy:nano:' || repeat('A', 64), 'buy', pg_temp.ann(), null, 100, 'world', 'avail');
update wallets set avail = avail + 100 where user_id = pg_temp.ann();
insert into rests values (pg_temp.ann(), 'nano', 0);
insert into awaiting(user_id, job_id) values (pg_temp.ann(), pg_temp.job(3));
insert into blocks(hash, address, previous, kind, link, raw, balance, representative, signature, state)
    values (repeat('B', 64), 'nano_1', repeat('0', 64), 'open', repeat('A', 64), 1e30, 1e30, 'nano_r',
    repeat('F', 128), 'confirmed'), (repeat('C', 64), 'nano_1', repeat('B', 64), 'send',
    repeat('D', 64), 1e30, 0, 'nano_r', repeat('F', 128), 'refused');
insert into claims(method, ref, user_id, state, lang, network, addr)
    values ('nano', repeat('E', 64), pg_temp.ann(), 'refused', 'en', 'test', 'sealed');
-- since 7
update jobs set media = 'sealed' where state = 'ready';
-- since 8
insert into events(network, lane, body) values ('test', sha256('l'), 'sealed');
-- since 9
insert into jobs(id, user_id, dedupe_key, state, price, estimate_ms, topic, story, lang, network, addr,
    fair_at, started_at, kept_until) values (pg_temp.job(5), pg_temp.ann(), sha256('5'), 'kept', 4,
    1000, 'bees', '', 'en', 'test', 'sealed', now(), now(), now() + interval '9 days');
select pg_temp.move('hold5', 'hold', pg_temp.ann(), pg_temp.job(5), 4, 'avail', 'held');
insert into holds values (pg_temp.job(5), pg_temp.ann(), 4, 0, 'open');
update wallets set avail = avail - 4, held = held + 4 where user_id = pg_temp.ann();
-- since 10
insert into strikes(user_id, category) values (pg_temp.ann(), 'x');
insert into pauses values (pg_temp.ann(), now() + interval '1 hour');
insert into script_calls(job_id, user_id, writer, model, outcome, ms, answer)
    values (pg_temp.job(3), pg_temp.ann(), 'openai', 'm', 'ok', 5, '{}');
-- since 12
insert into id_key(mac) values ('\xKEYMAC');
-- since 13
insert into blocks(hash, address, previous, kind, link, raw, balance, representative, signature, state)
    values (repeat('9', 64), 'nano_t', repeat('8', 64), 'send', repeat('7', 64), 1e29, 0, 'nano_r',
    repeat('F', 128), 'confirmed');
insert into refunds(id, user_id, method, address, credits, rest, raw, state, block, told, lang, network,
    addr, agreed_at) values (pg_temp.job(81), pg_temp.ann(), 'nano', 'nano_h', 10, 0, 1e29, 'done',
    repeat('9', 64), 'done', 'en', 'test', 'sealed', now());
select pg_temp.move('refund:' || pg_temp.job(81), 'refund', pg_temp.ann(), null, 10, 'avail', 'world');
update wallets set avail = avail - 10 where user_id = pg_temp.ann();
-- since 14
insert into group_settings(user_id, cap) values (pg_temp.crew(), 4);
insert into group_links values (sha256('t'), pg_temp.crew(), now());
insert into group_used(mac, group_id, credits) values (sha256('u'), pg_temp.crew(), 1);
insert into jobs(id, user_id, payer_id, dedupe_key, state, price, charged, estimate_ms, topic, story,
    lang, network, addr, fair_at, started_at, ended_at) values (pg_temp.job(6), pg_temp.ann(),
    pg_temp.crew(), sha256('6'), 'done', 1, 1, 1000, 'ants', '', 'en', 'test', '', now(), now(), now());
insert into deliveries(job_id, state, attempt, path, duration_ms, bytes)
    values (pg_temp.job(6), 'delivered', 1, '/v/6.mp4', 9000, 1000);
select pg_temp.move('grant6', 'grant', pg_temp.crew(), null, 5, 'promo', 'avail');
select pg_temp.move('hold6', 'hold', pg_temp.crew(), pg_temp.job(6), 1, 'avail', 'held');
select pg_temp.move('cap6', 'capture', pg_temp.crew(), pg_temp.job(6), 1, 'held', 'revenue');
insert into holds values (pg_temp.job(6), pg_temp.crew(), 1, 1, 'captured');
update wallets set avail = 4 where user_id = pg_temp.crew();
-- since 15
insert into strike_marks values (sha256('s'), array[now()], null, now());
-- since 16
insert into wallet_chains values ('nano', 'nano_w', repeat('0', 64));
-- since 17
update jobs set lane = sha256('l') where state = 'done';
-- since 18
insert into alarms(name, what) values ('ledger', 'was broken once');
-- since 20
update drafts set is_check = true, has_script = false;
-- since 21
update events set lane2 = sha256('l2'), begun = 1, begun_by = 7;
insert into deposits(method, ref, address, user_id, raw, state, per_credit, rest_after)
    values ('nano', repeat('2', 64), 'nano_2', pg_temp.gone(), 5, 'credited', 1e28, 5);
insert into rests values (pg_temp.gone(), 'nano', 0), (pg_temp.crew(), 'nano', 5);
insert into inherited_rests(from_id, into_id, method, raw)
    values (pg_temp.gone(), pg_temp.crew(), 'nano', 5);
select pg_temp.move('grant7', 'grant', pg_temp.gone(), null, 2, 'promo', 'avail');
select pg_temp.move('gone7', 'gone', pg_temp.gone(), null, 2, 'avail', 'heirs');
select pg_temp.move('came7', 'came', pg_temp.crew(), null, 2, 'heirs', 'avail');
update wallets set heir = pg_temp.crew() where user_id = pg_temp.gone();
update wallets set avail = avail + 2 where user_id = pg_temp.crew();
