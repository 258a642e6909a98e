-- Files that people send along with /make: the chat's names of them, sealed one by one.

alter table jobs add column media text not null default '' check (octet_length(media) <= 65536);
comment on column jobs.media is 'Sealed names of files that came with the words, for a worker to fetch; erased with the address';
