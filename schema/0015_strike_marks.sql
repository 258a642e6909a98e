-- A pause outlasts /forget, as the used trial does: else whoever is paused would simply begin anew.

create table strike_marks (
    mac bytea primary key check (length(mac) = 32),
    strikes timestamptz[] not null,
    pause_until timestamptz,
    until timestamptz not null
);
create index strike_marks_until on strike_marks(until);
comment on table strike_marks is 'Hash of an identity''s hash: strikes that still count and a pause that runs, of somebody who left by /forget; gone when they come back or all of it is over';
