-- A program with another identity key would know nobody here, and hand out trials again.

create table id_key (
    one boolean primary key default true check (one),
    mac bytea not null
);
comment on table id_key is 'Keyed hash of a fixed text, made with the key of all identities here; one row';
